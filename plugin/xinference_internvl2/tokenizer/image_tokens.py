"""The control tokens that stand in every prompt with an image."""

IMAGE_START, IMAGE_TOKEN, IMAGE_END = "<img>", "<IMG_CONTEXT>", "</img>"
REQUIRED = (IMAGE_START, IMAGE_END, IMAGE_TOKEN)


def image_tokens(count: int) -> str:
    """Return the text that stands in a prompt for an image of `count` image tokens."""
    return IMAGE_START + IMAGE_TOKEN * count + IMAGE_END
