"""Sees to it that the host never allows code of a checkpoint to run for our families.

The host marks every packaged family `is_builtin`, which alone is enough for `trust_remote_code`;
the record of a family of ours keeps that mark off. The other places of that promise:
`XINFERENCE_TRUST_REMOTE_CODE` switches it on for all models of the host, which no loader of ours
reads; `vllm/engine_args.py` switches it off for vLLM; `checkpoint/config.py` hands on no field that
names code, and weights are read from safetensors alone.

Imported while the host starts, never before.
"""

from __future__ import annotations

from typing import Any, SupportsIndex

from xinference.model.llm.llm_family import LLMFamilyV2


class FamilyWithoutRemoteCode(LLMFamilyV2):
    """The record of a family of ours, for which the host never allows remote code."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, False if name == "is_builtin" else value)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        # A process that receives the family may not have booted the host yet, and importing this
        # module there would boot it half-way through: let the copy be of the host's own class.
        return LLMFamilyV2.construct, (), self.__getstate__()
