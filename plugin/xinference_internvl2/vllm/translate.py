"""What vLLM is told of an answer, and what it reports of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from ..chat.request import ChatRequest
from ..engine_outputs import FinishOutput, FinishReason, TokenOutput
from ..errors import RequestError
from ..grammar import BROKEN_OFF, check_complete
from ..tokenizer.tokenizer import InternVL2Tokenizer

FAILED = "finish_reason=error"
"""What the host says of a request that vLLM ends as its grammar rejects a token that it allowed."""


def translate_request(request: ChatRequest) -> Any:
    """vLLM's `SamplingParams`. The text and its stop strings are left to `chat.detokenizer`."""
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
    from vllm.sampling_params import SamplingParams as VLLMSamplingParams

    sampling, constraint = request.sampling, None
    if sampling.constraint:
        constraint = StructuredOutputsParams(**dict([sampling.constraint]))
    return VLLMSamplingParams(
        n=sampling.n,
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        min_tokens=sampling.min_tokens,
        repetition_penalty=sampling.repetition_penalty,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        seed=sampling.seed,
        logprobs=sampling.logprobs,
        structured_outputs=constraint,
        logit_bias=dict(sampling.logit_bias) or None,
        allowed_token_ids=list(sampling.allowed_token_ids) or None,
        bad_words=list(sampling.bad_words) or None,
        stop_token_ids=request.stop_ids,
        # Only the prompt format ends an answer, not what the repository calls its EOS.
        ignore_eos=True,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )


def translate_output(part: Any, parameters: Any) -> Iterator[TokenOutput | FinishOutput]:
    """What vLLM reports of one answer since it last did, without the token that ends it."""
    end = None
    for position, token in enumerate(part.token_ids):
        if token in parameters.stop_token_ids:
            end = token
            continue
        if parameters.logprobs is None:
            yield TokenOutput(part.index, token)
            continue
        found = {i: entry.logprob for i, entry in part.logprobs[position].items()}
        likeliest = sorted(found.items(), key=lambda entry: -entry[1])
        yield TokenOutput(part.index, token, found[token], tuple(likeliest[: parameters.logprobs]))
    if part.finish_reason is not None:
        reason: FinishReason = "length" if part.finish_reason == "length" else "stop"
        yield FinishOutput(part.index, reason, end)


def translate_error(error: Exception, request: ChatRequest) -> Exception:
    """Return the refusal that an error of vLLM's stands for, or the error itself."""
    if isinstance(error, RequestError):
        return error
    if request.sampling.constraint and FAILED in str(error):
        return RequestError(BROKEN_OFF)
    # vLLM reads a grammar only when it is given the request.
    cause = error.__cause__ or error
    refused = isinstance(cause, ValueError)
    return RequestError(f"vLLM refuses the request: {cause}") if refused else error


class FormCheck:
    """Refuses an answer that ends before its form does: where a grammar fails in the middle, vLLM
    may let nothing follow but the end.

    Args:
        form: a kind of grammar and its value, as `check_complete` knows them; None accepts all.
        ends: the tokens that may follow a whole answer.
    """

    def __init__(
        self, form: tuple[str, Any] | None, tokenizer: InternVL2Tokenizer, ends: Collection[int]
    ) -> None:
        self._form, self._tokenizer, self._ends = form, tokenizer, ends
        self._texts: defaultdict[int, bytes] = defaultdict(bytes)

    def add(self, output: TokenOutput | FinishOutput) -> None:
        """Take the next output of an answer.

        Raises:
            RequestError: it ends the answer too early.
        """
        if self._form is None:
            return
        if isinstance(output, TokenOutput):
            self._texts[output.choice] += self._tokenizer.token_bytes(output.id)
        elif output.token in self._ends:
            check_complete(*self._form, self._texts[output.choice])
