"""The family record of our families. Imported while the host starts, never before."""

from __future__ import annotations

from typing import Any, SupportsIndex

from xinference.model.llm.llm_family import LLMFamilyV2

ARCHITECTURE = "XinferenceInternVL2"


class PluginFamily(LLMFamilyV2):
    """A family that only our loaders match and for which the host never allows remote code.

    The host matches its own loaders by architecture; ours is a name that none of them knows. It
    marks every packaged family `is_builtin`, which alone is enough for `trust_remote_code`; here
    the mark stays off.
    """

    @classmethod
    def adopt(cls, family: LLMFamilyV2) -> PluginFamily:
        """Return a copy of a family record of the host as one of ours."""
        adopted: PluginFamily = cls.parse_obj(family.dict())
        adopted.architectures = [ARCHITECTURE]
        return adopted

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, False if name == "is_builtin" else value)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        # A process that receives the family may not have booted the host yet, and importing this
        # module there would boot it half-way through: let the copy be of the host's own class.
        return LLMFamilyV2.construct, (), self.__getstate__()
