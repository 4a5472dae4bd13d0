quick = ask(image(uri("picture.jpg"), detail="low"), text("What is it?"))
some = {"mm_processor_kwargs": {"max_dynamic_patch": 6}}
precise = ask(image(uri("picture.jpg")), text("What is it?"), extra_body=some)
print(quick.usage.prompt_tokens, "or", precise.usage.prompt_tokens, "tokens of prompt")
