"""`doctor --ask`: load a checkpoint without a server and answer one question about one picture."""

from __future__ import annotations

from pathlib import Path

from ..chat.request import ChatRequest, ServedCheckpoint, prepare
from ..checkpoint.config import read_config
from ..demo.files import CHECKPOINT
from ..errors import RequestError
from ..families.records import prompt_format_named
from ..media.limits import launch_limits
from ..tokenizer.tokenizer import load_tokenizer
from .devices import devices

CONTEXT = 8192
MAX_TOKENS = 256


def ask(path: Path | None, picture: Path, question: str) -> str:
    """Return the likeliest answer of the checkpoint at `path`, or of the demo's.

    Raises:
        CheckpointError, RequestError: the checkpoint or the picture is at fault, and how.
    """
    served = _served(path or CHECKPOINT)
    content = [
        {"type": "image_url", "image_url": {"url": str(picture)}},
        {"type": "text", "text": question},
    ]
    messages = [{"role": "user", "content": content}]
    request = prepare(messages, {"max_tokens": MAX_TOKENS}, served)
    return _generate(request, served)


def _served(path: Path) -> ServedCheckpoint:
    config = read_config(path)
    return ServedCheckpoint(
        config=config,
        tokenizer=load_tokenizer(path, config.llm["vocab_size"]),
        prompt_format=prompt_format_named(config.template),
        context_length=CONTEXT,
        limits=launch_limits({}, config),
        fetch=_read,
        engine="Transformers",
    )


def _read(path: str, deadline: float) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}; give a picture on this machine") from None


def _generate(request: ChatRequest, served: ServedCheckpoint) -> str:
    import numpy as np
    import torch

    from ..media.pixel_values import normalize
    from ..transformers.model.from_checkpoint import load_model

    on_gpu = devices()[0].kind == "gpu"
    # Without instructions for it, bfloat16 is hundreds of times slower on a CPU.
    slow = not on_gpu and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    model = load_model(
        served.config.path,
        dtype="float32" if slow else None,
        device_map="auto" if on_gpu else None,
    )
    tiles = [cut for item in request.media for cut in item.cut()]
    ids = torch.tensor([request.ids], device=model.device)
    pixels = normalize(np.concatenate(tiles)).to(model.device, model.dtype)
    sampling = {"do_sample": False, "max_new_tokens": request.sampling.max_tokens}
    found = model.generate(
        input_ids=ids, pixel_values=pixels, eos_token_id=served.stop_ids, **sampling
    )
    answer = [token for token in found[0, ids.shape[1] :].tolist() if token not in served.stop_ids]
    return str(served.tokenizer.decode(answer)).strip()
