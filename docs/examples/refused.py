try:
    ask({"type": "input_audio", "input_audio": {"data": "…", "format": "wav"}})
except openai.BadRequestError as error:
    print(error.response.json()["detail"])
