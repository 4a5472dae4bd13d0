"""The families that the plugin brings, and in which of them a prompt format is looked up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from xinference_internvl2.chat.build_prompt import render
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.families.find_prompt_format import find_prompt_format, prompt_format_of
from xinference_internvl2.families.records import load_runtimes

SYSTEM = {
    ("internvl2", "internlm2-chat"): "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型",
    ("internvl2", "phi3-chat"): "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型",
    ("internvl-chat", "internlm2-chat"): "You are an AI assistant whose name is InternLM",
    ("internvl-chat", "phi3-chat"): "You are an AI assistant whose name is Phi-3.",
    ("InternVL2.5", "internvl2_5"): "你是书生·万象，英文名是InternVL，",
    ("InternVL2.5-MPO", "internvl2_5"): "你是书生·万象，英文名是InternVL，",
}


def test_families() -> None:
    names = ["InternVL2.5", "InternVL2.5-MPO", "internvl-chat", "internvl2"]
    assert sorted(load_runtimes()) == names


@pytest.mark.parametrize(("family", "name"), SYSTEM)
def test_a_prompt_format_is_that_of_the_launched_family(family: str, name: str) -> None:
    for launched in (
        SimpleNamespace(model_name=family, model_family=None),
        SimpleNamespace(model_name="my-own", model_family=family),
    ):
        found = prompt_format_of(launched, name)
        assert found.system_text.startswith(SYSTEM[family, name])
        assert found == find_prompt_format(name, family)


def test_a_prompt_format_of_another_family_is_refused() -> None:
    launched = SimpleNamespace(model_name="internvl2", model_family=None)
    with pytest.raises(CheckpointError) as caught:
        prompt_format_of(launched, "internvl2_5")
    assert str(caught.value) == (
        "the checkpoint's template 'internvl2_5' is no prompt format of internvl2 (Hermes-2, "
        "internlm2-chat, phi3-chat); launch it as a model of the family that it belongs to"
    )


def test_a_prompt_format_without_a_family_is_that_of_internvl2_if_it_has_it() -> None:
    for name, family in (("phi3-chat", "internvl2"), ("internvl2_5", "InternVL2.5")):
        assert find_prompt_format(name) == find_prompt_format(name, family)
    with pytest.raises(CheckpointError, match="'v9' is no prompt format of internvl2"):
        find_prompt_format("v9")


def test_a_family_of_the_host_has_no_prompt_format() -> None:
    launched = SimpleNamespace(model_name="InternVL3", model_family=None)
    with pytest.raises(CheckpointError, match="InternVL3 is no family of xinference-internvl2"):
        prompt_format_of(launched, "internvl2_5")


def test_turns_of_internvl2_5_end_with_a_line_break() -> None:
    turns = [
        {"role": "user", "content": "Q1"},
        {"role": "assistant", "content": "A1"},
        {"role": "user", "content": "Q2"},
    ]
    system = (
        "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的"
        "多模态大语言模型。"
    )
    found = find_prompt_format("internvl2_5", "InternVL2.5")
    assert found.stop == ("<|im_end|>",)
    assert render(turns, found).text == (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n"
        "<|im_start|>assistant\nA1<|im_end|>\n<|im_start|>user\nQ2<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_system_text_of_internvl_1_5() -> None:
    found = find_prompt_format("internlm2-chat", "internvl-chat")
    assert render([{"role": "user", "content": "Q"}], found).text == (
        "<|im_start|>system\nYou are an AI assistant whose name is InternLM (书生·浦语).<|im_end|>"
        "<|im_start|>user\nQ<|im_end|><|im_start|>assistant\n"
    )
