"""Translates requests for vLLM, and vLLM's outputs and errors for the response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..chat.request import ChatRequest
from ..engine_outputs import FinishOutput, FinishReason, TokenOutput
from ..errors import RequestError
from ..grammar import BROKEN_OFF
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .placeholders import insert_placeholders
from .tiles_as_images import stack_tiles

FAILED = "finish_reason=error"
"""Part of the host's error for a request whose grammar rejects a token that it allowed before."""


def translate_prompt(request: ChatRequest, tokenizer: InternVL2Tokenizer) -> dict[str, Any]:
    """Return vLLM's prompt, as token ids: it takes no text of a user for a placeholder.

    The frames of a video are pictures like others.
    """
    salt = {"cache_salt": request.cache_salt} if request.cache_salt else {}
    if not request.tiles:
        return {"prompt_token_ids": request.ids, **salt}
    images = [stack_tiles(tiles) for tiles in request.tiles]
    return {
        **salt,
        "prompt_token_ids": insert_placeholders(request.ids, tokenizer),
        "multi_modal_data": {"image": images},
    }


def translate_sampling(request: ChatRequest) -> Any:
    """Return vLLM's `SamplingParams`; `chat.detokenizer` makes the text and finds stop strings."""
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
    """Yield the new tokens of one answer, without the one that ends it, and its end.

    Args:
        part: vLLM's `CompletionOutput`, with what is new since the last one.
        parameters: vLLM's `SamplingParams` of the request.
    """
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
    """Return a RequestError where the request is at fault; otherwise vLLM's error itself."""
    if isinstance(error, RequestError):
        return error
    if request.sampling.constraint and FAILED in str(error):
        return RequestError(BROKEN_OFF)
    # vLLM compiles a grammar only once it has the request.
    cause = error.__cause__ or error
    refused = isinstance(cause, ValueError)
    return RequestError(f"vLLM refuses the request: {cause}") if refused else error
