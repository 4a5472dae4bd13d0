"""Writes a prompt format as a Jinja template, with which plain `vllm serve` renders chats."""

from __future__ import annotations

import json

from ..families.records import PromptFormat


def build_chat_template(prompt_format: PromptFormat, start: str) -> str:
    """Return a Jinja template of the prompt format.

    Args:
        start: the text of the token that the tokenizer puts before a text, or "".
    """
    text = {name: json.dumps(value) for name, value in _template_texts(prompt_format).items()}
    return (
        f"{{{{- {json.dumps(start)} -}}}}"
        "{%- if messages[0]['role'] != 'system' -%}"
        f"{{{{- {text['system']} + {text['system_text']} + {text['end']} -}}}}"
        "{%- endif -%}"
        "{%- for message in messages -%}"
        f"{{{{- {{'system': {text['system']}, 'user': {text['user']}, "
        f"'assistant': {text['assistant']}}}[message['role']] + message['content'] "
        f"+ {text['end']} -}}}}"
        "{%- endfor -%}"
        f"{{%- if add_generation_prompt -%}}{{{{- {text['assistant']} -}}}}{{%- endif -%}}"
    )


def _template_texts(prompt_format: PromptFormat) -> dict[str, str]:
    return {
        **prompt_format.roles,
        "system_text": prompt_format.system_text,
        "end": prompt_format.turn_end,
    }
