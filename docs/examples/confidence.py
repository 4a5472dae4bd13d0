from xinference_internvl2 import field_probabilities

fields = {"shape": {"enum": ["circle", "square", "star"]}, "count": {"enum": [1, 2, 3]}}
schema = {"type": "object", "properties": fields, "required": ["shape", "count"]}
schema["additionalProperties"] = False
form = {"type": "json_schema", "json_schema": {"name": "shapes", "schema": schema}}
answer = ask(
    image(uri("picture.jpg")),
    text("Which shape is there, and how often?"),
    response_format=form,
    logprobs=True,
)
found = field_probabilities(answer.choices[0].logprobs.content)
for name, (value, probability) in found.items():
    print(name, value, f"{probability:.2f}")
