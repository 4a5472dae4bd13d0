"""Runs in a process of its own: boot the real host, and print what it knows as one JSON line."""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
from pathlib import Path
from typing import Any

MARKER = "probe result: "
FAMILY = "internvl2"
messages: list[tuple[str, str]] = []


class Recorder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages.append((record.levelname, record.getMessage()))


def tables() -> dict[str, Any]:
    """The whole engine table of the host, and everything else that our families add to."""
    from xinference.model.llm import BUILTIN_LLM_FAMILIES, LLM_ENGINES, SUPPORTED_ENGINES
    from xinference.model.llm.core import LLM_VERSION_INFOS
    from xinference.model.llm.llm_family import (
        BUILTIN_LLM_MODEL_CHAT_FAMILIES,
        BUILTIN_LLM_PROMPT_STYLE,
    )

    return {
        "engines": {name: _rows(engines) for name, engines in LLM_ENGINES.items()},
        "classes": {name: [c.__name__ for c in cs] for name, cs in SUPPORTED_ENGINES.items()},
        "families": {f.model_name: json.loads(f.json()) for f in BUILTIN_LLM_FAMILIES},
        "family_names": [f.model_name for f in BUILTIN_LLM_FAMILIES],
        "versions": {name: len(infos) for name, infos in LLM_VERSION_INFOS.items()},
        "chat_families": sorted(BUILTIN_LLM_MODEL_CHAT_FAMILIES),
        "prompt_styles": sorted(BUILTIN_LLM_PROMPT_STYLE),
    }


def booted() -> dict[str, Any]:
    """The tables after a second call of `activate()`, which must not repeat anything."""
    from xinference_internvl2.host.activate import activate

    found = tables()
    return {**found, "active again": activate()}


def listings() -> dict[str, Any]:
    """What the host answers when asked for the engines of a model, for every model."""
    from xinference.model.llm import BUILTIN_LLM_FAMILIES

    return {family.model_name: listing(family.model_name) for family in BUILTIN_LLM_FAMILIES}


def listing(name: str) -> dict[str, Any]:
    """What the host answers when asked for the engines of a model, in both of its modes."""
    from xinference.model.utils import (
        get_engine_params_by_name,
        get_engine_params_by_name_with_virtual_env,
    )

    return {
        "virtual environment": get_engine_params_by_name_with_virtual_env("LLM", name, True),
        "strict": get_engine_params_by_name("LLM", name, False),
    }


def vllm_on_cuda() -> dict[str, Any]:
    import torch

    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 1
    return vllm()


def vllm() -> dict[str, Any]:
    """Whether vLLM is offered for the family, and what launching it says, in both modes."""
    from xinference.model.llm.core import create_llm_model_instance

    found = {}
    for mode, engines in listing(FAMILY).items():
        virtual = mode == "virtual environment"
        try:
            model = create_llm_model_instance(
                *("uid", FAMILY, "vLLM", "pytorch", 1, "none"),
                model_path="/",
                enable_virtual_env=virtual,
            )
            launch = type(model).__name__
        except ValueError as error:
            launch = str(error)
        found[mode] = {"listed": engines.get("vLLM"), "launch": launch}
    return found


def known() -> dict[str, Any]:
    """Tables and listings, on this machine and as on one with CUDA."""
    from xinference.model.llm import register_builtin_model
    from xinference.model.llm.core import LLM

    found: dict[str, Any] = {"here": tables(), "listings": listings()}
    LLM._has_cuda_device = staticmethod(lambda: True)
    register_builtin_model()
    found["cuda"] = {"engines": tables()["engines"], "listings": listings()}
    return found


def refreshed() -> dict[str, Any]:
    """Three boots of the catalog in one process, with a look at the family in between."""
    from xinference.model.llm import BUILTIN_LLM_FAMILIES, register_builtin_model
    from xinference.model.utils import allow_trust_remote_code

    first = tables()
    register_builtin_model()
    second = tables()
    register_builtin_model()
    family = next(f for f in BUILTIN_LLM_FAMILIES if f.model_name == FAMILY)
    received = pickle.loads(pickle.dumps(family))
    return {
        "tables": [first, second, tables()],
        "remote code": [allow_trust_remote_code(f) for f in (family, family.copy(), received)],
        "received": [type(received).__module__, received.dict() == family.dict()],
        "launches": launches(),
        "catalogs": downloaded_catalogs(),
    }


def launches() -> dict[str, str]:
    """The class that the host would launch, or its refusal."""
    from xinference.model.llm import core, llm_family  # noqa: F401

    asked = [
        (FAMILY, "transformers", "pytorch", 1, "8-bit"),
        (FAMILY, "Transformers", "awq", 2, "Int4"),
        (FAMILY, "vllm", "awq", 2, "Int4"),
        (FAMILY, "Transformers", "awq", 1, "Int4"),
        (FAMILY, "Transformers", "gptq", 2, "Int4"),
        (FAMILY, "vLLM", "pytorch", 2, "8-bit"),
        (FAMILY, "SGLang", "pytorch", 2, "none"),
        ("my-internvl2", "Transformers", "pytorch", 3, "none"),
        ("my-internvl2", "SGLang", "pytorch", 3, "none"),
        ("qwen2-vl-instruct", "Transformers", "pytorch", 2, "none"),
    ]
    found = {}
    for case in asked:
        name, engine, *spec = case
        try:
            cls = llm_family.check_engine_by_spec_parameters_with_virtual_env(engine, name, *spec)
            found[" ".join(map(str, case))] = cls.__name__
        except ValueError as error:
            found[" ".join(map(str, case))] = str(error)
    return found


def lacking() -> dict[str, Any]:
    """What the server's processes say of the family's engines, and of launches."""
    if os.environ.get("WITHOUT_AVX512"):
        import torch

        torch.cpu._is_avx512_supported = lambda: False
    from xinference.core import supervisor, worker
    from xinference.model.llm import llm_family

    checks = (
        llm_family.check_engine_by_spec_parameters_with_virtual_env,
        llm_family.check_engine_by_spec_parameters,
    )
    return {
        "queries": [
            query("LLM", FAMILY, virtual)
            for module in (worker, supervisor)
            for query, virtual in (
                (module.get_engine_params_by_name_with_virtual_env, True),
                (module.get_engine_params_by_name, False),
            )
        ],
        "refused": [refusals(check) for check in checks],
    }


def refusals(check: Any) -> dict[str, str]:
    """Engine and spec → why the host does not launch it, of some where something may be missing."""
    found = {}
    for case in (
        ("Transformers", "awq", 2, "Int4"),
        ("Transformers", "pytorch", 2, "4-bit"),
        ("Transformers", "pytorch", 2, "none"),
        ("vLLM", "awq", 2, "Int4"),
    ):
        engine, *spec = case
        try:
            check(engine, FAMILY, *spec)
        except ValueError as error:
            found[" ".join(map(str, case))] = str(error)
    return found


def lacking_by_extension() -> dict[str, Any]:
    """The same where the extension comes after the server's modules."""
    from xinference.core import supervisor, worker  # noqa: F401
    from xinference.extensions import get_extensions

    get_extensions()
    return lacking()


def downloaded_catalogs() -> dict[str, Any]:
    """What becomes of the family beside an older and a newer record of a downloaded catalog."""
    from xinference.constants import XINFERENCE_MODEL_DIR
    from xinference.model.llm import BUILTIN_LLM_FAMILIES, LLM_ENGINES, register_builtin_model

    file = Path(XINFERENCE_MODEL_DIR, "v2", "builtin", "llm", "llm_models.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    record = json.loads(Path(os.environ["RECORD"]).read_text(encoding="utf-8"))[0]
    updated_at, found = record["updated_at"], {}
    for name, moved in {"older": -1, "newer": 1, "older again": -1}.items():
        file.write_text(json.dumps([{**record, "updated_at": updated_at + moved}]))
        register_builtin_model()
        families = [f for f in BUILTIN_LLM_FAMILIES if f.model_name == FAMILY]
        rows = _rows(LLM_ENGINES[FAMILY])
        found[name] = {
            "updated_at": [f.updated_at - updated_at for f in families],
            "classes": sorted({row[3] for rows in rows.values() for row in rows}),
        }
    return found


def by_extension() -> dict[str, Any]:
    """Load the extensions as the host's worker does, twice."""
    from xinference.extensions import filter_worker_resources, get_extensions
    from xinference.extensions import worker_extension_metadata as metadata
    from xinference.model.llm import LLM_ENGINES

    before = FAMILY in LLM_ENGINES
    rows = id(LLM_ENGINES["qwen2-vl-instruct"])
    extensions = [extension.name for extension in get_extensions()]
    worker = {"gpu_devices": [0, 1], "extensions": metadata()}
    return {
        "known before": before,
        "rebuilt": rows != id(LLM_ENGINES["qwen2-vl-instruct"]),
        "extensions": extensions,
        "metadata": metadata(),
        "devices": filter_worker_resources(worker, [worker]),
        "tables": tables(),
    }


def _rows(engines: dict[str, Any]) -> dict[str, list[list[Any]]]:
    return {
        engine: [
            [
                row["model_format"],
                row["model_size_in_billions"],
                row["quantizations"],
                row["llm_class"].__name__,
            ]
            for row in rows
        ]
        for engine, rows in engines.items()
    }


if __name__ == "__main__":
    logging.getLogger("xinference_internvl2").addHandler(Recorder())
    if unimportable := os.environ.get("UNIMPORTABLE"):
        sys.modules[unimportable] = None  # type: ignore[assignment]
    result = globals()[sys.argv[1]]()
    print(MARKER + json.dumps({**result, "messages": messages}))
