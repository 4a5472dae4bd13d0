answer = ask(image(uri("picture.jpg")), text("What is it?"), extra_body={"render": True})
print(answer.prompt.replace("<IMG_CONTEXT>", ""))
print(answer.prompt_token_ids[:8], answer.usage.prompt_tokens)
