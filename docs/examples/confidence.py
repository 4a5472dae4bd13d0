import math
import re

question = 'Answer as JSON: {"shape": ..., "colour": ...}.'
answer = ask(image(uri("picture.jpg")), text(question), logprobs=True)
tokens = answer.choices[0].logprobs.content
# Where each token begins in the bytes of the answer.
ends = [0]
for token in tokens:
    ends.append(ends[-1] + len(token.bytes))
written = b"".join(bytes(token.bytes) for token in tokens)
for field in re.finditer(rb'"(\w+)":\s*("[^"]*"|[^,}\s]+)', written):
    first, last = field.span(2)
    spans = zip(tokens, ends, ends[1:], strict=False)
    within = [token.logprob for token, start, end in spans if start < last and end > first]
    print(field[1].decode(), field[2].decode(), math.exp(sum(within)))
print("the whole answer", math.exp(sum(token.logprob for token in tokens)))
