answers = ask(
    text("Write a line about the sea."),
    n=3,
    temperature=0.8,
    top_p=0.95,
    seed=7,
    frequency_penalty=0.5,
    stop=["\n"],
    max_tokens=60,
)
for choice in answers.choices:
    print(choice.finish_reason, choice.message.content)
