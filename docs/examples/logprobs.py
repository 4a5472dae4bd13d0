answer = ask(image(uri("picture.jpg")), text("Is it red?"), logprobs=True, top_logprobs=3)
for entry in answer.choices[0].logprobs.content:
    print(entry.token, entry.logprob, [other.token for other in entry.top_logprobs])
