# ruff: noqa: E501 (a line of output stands here as it is printed)
"""What the generator says of bad specs: a table of mistakes and their exact lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.__main__ import main

# Edits of the small valid spec base.yaml, and the lines they lead to, without the file.
Edits = list[tuple[str, str]]
TAKEN = "model_specs:\n"
SECOND = "  - model_format: pytorch\n    model_size_in_billions: 1_8\n"
OTHER = "    model_src: {huggingface: {model_id: owner/other}}\n"
GGUF = (
    "  - model_format: ggufv2\n    model_size_in_billions: 1_8\n    quantizations: [Q8_0]\n" + OTHER
)
TOWER = (
    "vLLM: [none]}\n    vision_tower: small\n    model_metadata: {vocab_size: 9, hidden_size: 8, "
    "intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 1}\nvision_towers:\n  small: "
    "{hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 1, "
    "image_size: 28, patch_size: 14, norm_type: rms_norm, qkv_bias: true, qk_normalization: true}"
)
KNOWN: Edits = [("BaseForCausalLM", "LlamaForCausalLM"), ("vLLM: [none]}", TOWER)]
EDITED: list[tuple[str, Edits, list[str]]] = [
    (
        "unknown key",
        [("context_length:", "context_lenght:")],
        ["3:1: $.context_lenght: unknown key; did you mean 'context_length'?"],
    ),
    (
        "unknown key, nothing near",
        [('roles: {system: "S:"', 'roles: {zzz: "Z", system: "S:"')],
        [
            "11:13: $.prompt_formats.plain.roles.zzz: unknown key; the keys here are 'system', 'user', 'assistant'"
        ],
    ),
    (
        "unknown key in a spec",
        [("model_format: pytorch", "model_fromat: pytorch")],
        ["15:5: $.model_specs[0].model_fromat: unknown key; did you mean 'model_format'?"],
    ),
    (
        "unknown key of a source",
        [("model_revision: main", "revision: main")],
        [
            "19:43: $.model_specs[0].model_src.huggingface.revision: unknown key; did you mean 'model_revision'?"
        ],
    ),
    (
        "unknown hub",
        [("huggingface: {", "hugging_face: {")],
        ["19:7: $.model_specs[0].model_src.hugging_face: unknown key; did you mean 'huggingface'?"],
    ),
    (
        "unknown engine",
        [("vLLM: [none]", "vllm: [none]")],
        ["22:44: $.model_specs[0].engines.vllm: unknown key; did you mean 'vLLM'?"],
    ),
    (
        "key in another case",
        [("model_name:", "Model_Name:")],
        ["1:1: $.Model_Name: unknown key; did you mean 'model_name'?"],
    ),
    (
        "long unknown key",
        [
            (
                "model_name: base",
                "model_name: base\nkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: 1",
            )
        ],
        [
            "2:1: $.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: unknown key; the keys here are 'model_name', 'updated_at', 'context_length', 'model_lang', 'model_ability', 'model_description', 'architectures', 'model_family', 'model_type', 'featured', 'chat_template', 'stop_token_ids', 'stop', 'reasoning_start_tag', 'reasoning_end_tag', 'tool_parser', 'cache_config', 'virtualenv', 'prompt_style', 'is_built_in', 'prompt_formats', 'vision_towers', 'model_specs'"
        ],
    ),
    (
        "missing key",
        [("updated_at: 1700000000\n", "")],
        ["1:1: $: missing key 'updated_at'; add it"],
    ),
    (
        "missing nested key",
        [("{model_id: owner/base, model_revision: main}", "{model_revision: main}")],
        ["19:20: $.model_specs[0].model_src.huggingface: missing key 'model_id'; add it"],
    ),
    (
        "missing role",
        [(', assistant: "A:"', "")],
        ["11:12: $.prompt_formats.plain.roles: missing key 'assistant'; add it"],
    ),
    (
        "keys that come together",
        [("    backbone: BaseForCausalLM\n", "")],
        [
            "15:5: $.model_specs[0]: missing key 'backbone'; 'backbone', 'engines', 'prompt_format' come together, add it"
        ],
    ),
    (
        "engines alone",
        [("    prompt_format: plain\n    backbone: BaseForCausalLM\n", "")],
        [
            "15:5: $.model_specs[0]: missing key 'backbone'; 'backbone', 'engines', 'prompt_format' come together, add it",
            "15:5: $.model_specs[0]: missing key 'prompt_format'; 'backbone', 'engines', 'prompt_format' come together, add it",
        ],
    ),
    (
        "text for a number",
        [("context_length: 4096", "context_length: long")],
        [
            "3:17: $.context_length: 'long' is text, but must be a whole number: the longest context in tokens, prompt and answer together"
        ],
    ),
    (
        "fraction for a number",
        [("context_length: 4096", "context_length: 4096.0")],
        [
            "3:17: $.context_length: 4096.0 is a fraction, but must be a whole number: the longest context in tokens, prompt and answer together"
        ],
    ),
    (
        "number for text",
        [("system_text: Be kind.", "system_text: 12")],
        [
            "10:18: $.prompt_formats.plain.system_text: 12 is a whole number, but must be text; quote it"
        ],
    ),
    (
        "boolean for text",
        [("turn_end: <end>", "turn_end: true")],
        ["12:15: $.prompt_formats.plain.turn_end: this is true, but must be text; quote it"],
    ),
    (
        "null for a list",
        [("model_lang: [en, zh]", "model_lang:")],
        ["4:12: $.model_lang: this is null, but must be a list: the languages the family speaks"],
    ),
    (
        "text for a list",
        [("model_lang: [en, zh]", "model_lang: en")],
        ["4:13: $.model_lang: 'en' is text, but must be a list: the languages the family speaks"],
    ),
    (
        "list for a mapping",
        [("engines: {Transformers: [4-bit, none], vLLM: [none]}", "engines: [vLLM]")],
        [
            "22:14: $.model_specs[0].engines: this is a list, but must be a mapping: the engines on which this plugin serves the checkpoint, each with its quantizations"
        ],
    ),
    (
        "mapping for text",
        [("model_description: A family.", "model_description: {en: A family.}")],
        [
            "6:20: $.model_description: this is a mapping, but must be text: one line of text that introduces the family on its page and in the host's listings"
        ],
    ),
    (
        "text for a boolean",
        [("updated_at:", "featured: yes\nupdated_at:")],
        [
            "2:11: $.featured: 'yes' is text, but must be true or false: whether the host lists the family among its recommendations"
        ],
    ),
    (
        "boolean for a number",
        [("context_length: 4096", "context_length: true")],
        [
            "3:17: $.context_length: this is true, but must be a whole number: the longest context in tokens, prompt and answer together"
        ],
    ),
    (
        "unknown quantization",
        [("quantizations: [4-bit, none]", "quantizations: [4bit, none]")],
        [
            "17:21: $.model_specs[0].quantizations[0]: '4bit' is not one of '4-bit', '8-bit', 'none', 'fp8', 'Int4', 'Int8'; did you mean '4-bit'?"
        ],
    ),
    (
        "quantization of another format",
        [("quantizations: [4-bit, none]", "quantizations: [4-bit, none, Q8_0]")],
        [
            "17:34: $.model_specs[0].quantizations[2]: 'Q8_0' is not one of '4-bit', '8-bit', 'none', 'fp8', 'Int4', 'Int8'"
        ],
    ),
    (
        "unknown format",
        [("model_format: pytorch", "model_format: torch")],
        [
            "15:19: $.model_specs[0].model_format: 'torch' is not one of 'pytorch', 'awq', 'gptq', 'fp8', 'fp4', 'bnb', 'ggufv2', 'mlx'; did you mean 'pytorch'?"
        ],
    ),
    (
        "unknown ability",
        [("[chat]", "[chat, visoin]")],
        [
            "5:23: $.model_ability[1]: 'visoin' is not one of 'embed', 'generate', 'chat', 'tools', 'vision', 'audio', 'omni', 'reasoning', 'hybrid'; did you mean 'vision'?"
        ],
    ),
    (
        "nothing near an ability",
        [("[chat]", "[juggling]")],
        [
            "5:17: $.model_ability[0]: 'juggling' is not one of 'embed', 'generate', 'chat', 'tools', 'vision', 'audio', 'omni', 'reasoning', 'hybrid'"
        ],
    ),
    (
        "bad language",
        [("[en, zh]", "[en, English]")],
        [
            "4:18: $.model_lang[1]: 'English' does not fit; expected a language code such as en, zh or zh-Hant"
        ],
    ),
    (
        "below the minimum",
        [("context_length: 4096", "context_length: 0")],
        [
            "3:17: $.context_length: 0 is less than 1; expected the longest context in tokens, prompt and answer together"
        ],
    ),
    (
        "negative time",
        [("updated_at: 1700000000", "updated_at: -1")],
        [
            "2:13: $.updated_at: -1 is less than 0; expected the time of the last change in seconds since 1970"
        ],
    ),
    (
        "too many digits",
        [("context_length: 4096", "context_length: 999999999999999999999999999999")],
        ["3:17: $.context_length: a number of 30 digits is too large; correct it"],
    ),
    (
        "empty list",
        [("quantizations: [4-bit, none]", "quantizations: []")],
        [
            "17:20: $.model_specs[0].quantizations: this is empty, but must hold the quantizations a user can choose"
        ],
    ),
    (
        "empty mapping",
        [
            (
                "model_src:\n      huggingface: {model_id: owner/base, model_revision: main}",
                "model_src: {}",
            )
        ],
        [
            "18:16: $.model_specs[0].model_src: this is empty, but must hold the places where the checkpoint is published, by model hub"
        ],
    ),
    (
        "empty text",
        [("A family.", '""')],
        [
            "6:20: $.model_description: this is empty, but must hold one line of text that introduces the family on its page and in the host's listings"
        ],
    ),
    (
        "item twice",
        [("[en, zh]", "[en, zh, en]")],
        ["4:22: $.model_lang[2]: 'en' stands twice in the list; remove one"],
    ),
    (
        "line break in a line",
        [("A family.", '"A\\nfamily."')],
        [
            "6:20: $.model_description: 'A\\nfamily.' does not fit; expected one line of text that introduces the family on its page and in the host's listings"
        ],
    ),
    (
        "line break at the end of a line",
        [("A family.", '"A family.\\n"')],
        [
            "6:20: $.model_description: 'A family.\\n' does not fit; expected one line of text that introduces the family on its page and in the host's listings"
        ],
    ),
    (
        "escape character in a line",
        [("A family.", '"A \\e[31m family."')],
        [
            "6:20: $.model_description: 'A \\x1b[31m family.' does not fit; expected one line of text that introduces the family on its page and in the host's listings"
        ],
    ),
    (
        "unsafe name",
        [("model_name: base", "model_name: ../base")],
        [
            "1:13: $.model_name: '../base' does not fit; expected the name of the family: letters, digits, '.', '_' and '-', beginning with a letter or digit and not ending in '.runtime' or '-engines'"
        ],
    ),
    (
        "name of a runtime file",
        [("model_name: base", "model_name: base.runtime")],
        [
            "1:13: $.model_name: 'base.runtime' does not fit; expected the name of the family: letters, digits, '.', '_' and '-', beginning with a letter or digit and not ending in '.runtime' or '-engines'"
        ],
    ),
    (
        "name of an engines page",
        [("model_name: base", "model_name: base-Engines")],
        [
            "1:13: $.model_name: 'base-Engines' does not fit; expected the name of the family: letters, digits, '.', '_' and '-', beginning with a letter or digit and not ending in '.runtime' or '-engines'"
        ],
    ),
    (
        "name with a line break",
        [("model_name: base", 'model_name: "base\\n"')],
        [
            "1:13: $.model_name: 'base\\n' does not fit; expected the name of the family: letters, digits, '.', '_' and '-', beginning with a letter or digit and not ending in '.runtime' or '-engines'"
        ],
    ),
    (
        "unsafe hub id",
        [("owner/base", "owner/../base")],
        [
            "19:31: $.model_specs[0].model_src.huggingface.model_id: 'owner/../base' does not fit; expected the repository as owner/name, each of letters, digits, '.', '_' and '-'"
        ],
    ),
    (
        "hub id without owner",
        [("owner/base", "base")],
        [
            "19:31: $.model_specs[0].model_src.huggingface.model_id: 'base' does not fit; expected the repository as owner/name, each of letters, digits, '.', '_' and '-'"
        ],
    ),
    (
        "revision with a space",
        [("model_revision: main", "model_revision: my main")],
        [
            "19:59: $.model_specs[0].model_src.huggingface.model_revision: 'my main' does not fit; expected a branch, tag or commit of the repository"
        ],
    ),
    (
        "size as a decimal",
        [("1_8", "1.8")],
        [
            "16:29: $.model_specs[0].model_size_in_billions: 1.8 does not fit; expected the size in billions of parameters: a whole number such as 8, or 1_8 for 1.8"
        ],
    ),
    (
        "size as quoted digits",
        [("1_8", '"18"')],
        [
            "16:29: $.model_specs[0].model_size_in_billions: '18' does not fit; expected the size in billions of parameters: a whole number such as 8, or 1_8 for 1.8"
        ],
    ),
    (
        "size as words",
        [("1_8", "large")],
        [
            "16:29: $.model_specs[0].model_size_in_billions: 'large' does not fit; expected the size in billions of parameters: a whole number such as 8, or 1_8 for 1.8"
        ],
    ),
    (
        "engine serves what the spec lacks",
        [("vLLM: [none]", "vLLM: [none, 8-bit]")],
        [
            "22:57: $.model_specs[0].engines.vLLM[1]: '8-bit' is not one of the spec's quantizations '4-bit', 'none'; add it there or remove it"
        ],
    ),
    (
        "published engine serves what the spec lacks",
        [("vLLM: [none]}", "vLLM: [none]}\n    published_engines: {MLX: [Int4]}")],
        [
            "23:31: $.model_specs[0].published_engines.MLX[0]: 'Int4' is not one of the spec's quantizations '4-bit', 'none'; add it there or remove it"
        ],
    ),
    (
        "unknown prompt format",
        [("prompt_format: plain", "prompt_format: plane")],
        [
            "20:20: $.model_specs[0].prompt_format: 'plane' is not one of the family's prompt_formats; did you mean 'plain'?"
        ],
    ),
    (
        "prompt format without any",
        [
            (
                'prompt_formats:\n  plain:\n    system_text: Be kind.\n    roles: {system: "S:", user: "U:", assistant: "A:"}\n    turn_end: <end>\n    stop: [<end>]\n',
                "",
            )
        ],
        [
            "14:20: $.model_specs[0].prompt_format: 'plain' is not one of the family's prompt_formats; describe it there"
        ],
    ),
    (
        "unknown vision tower",
        [*KNOWN, ("vision_tower: small", "vision_tower: smal")],
        [
            "23:19: $.model_specs[0].vision_tower: 'smal' is not one of the family's vision_towers; did you mean 'small'?"
        ],
    ),
    (
        "vision tower without dimensions of the language model",
        [("BaseForCausalLM", "LlamaForCausalLM\n    vision_tower: small")],
        [
            "15:5: $.model_specs[0]: missing key 'model_metadata'; 'backbone', 'model_metadata', 'vision_tower' come together, add it"
        ],
    ),
    (
        "vision tower with too few dimensions of the language model",
        [
            *KNOWN,
            ("vocab_size: 9, ", ""),
            ("revision: main", "revision: main, model_metadata: {vocab_size: 9}"),
        ],
        [
            "24:21: $.model_specs[0].model_metadata: the memory is unknown without 'vocab_size'; add it, or remove 'vision_tower'"
        ],
    ),
    (
        "vision tower with a language model of another structure",
        [*KNOWN, ("LlamaForCausalLM", "MambaForCausalLM")],
        [
            "21:15: $.model_specs[0].backbone: 'MambaForCausalLM' is not one of the language models whose memory is known, 'Qwen2ForCausalLM', 'InternLM2ForCausalLM', 'Phi3ForCausalLM', 'LlamaForCausalLM'; remove 'vision_tower'"
        ],
    ),
    (
        "unknown norm of a vision tower",
        [*KNOWN, ("norm_type: rms_norm", "norm_type: rmsnorm")],
        [
            "26:138: $.vision_towers.small.norm_type: 'rmsnorm' is not one of 'layer_norm', 'rms_norm'; did you mean 'rms_norm'?"
        ],
    ),
    (
        "vision tower without a dimension",
        [*KNOWN, ("patch_size: 14, ", "")],
        ["26:10: $.vision_towers.small: missing key 'patch_size'; add it"],
    ),
    (
        "text for a switch of a vision tower",
        [*KNOWN, ("qkv_bias: true", "qkv_bias: yes")],
        [
            "26:158: $.vision_towers.small.qkv_bias: 'yes' is text, but must be true or false: whether queries, keys and values have biases"
        ],
    ),
    (
        "checkpoint twice",
        [(TAKEN, TAKEN + SECOND + "    quantizations: [none]\n" + OTHER)],
        [
            "19:5: $.model_specs[1]: pytorch of 1_8 billion with quantization none on huggingface is already model_specs[0]; remove one of the two, or say 'shadowed: true' here"
        ],
    ),
    (
        "checkpoint twice in another case",
        [
            ("model_format: pytorch", "model_format: gptq"),
            ("quantizations: [4-bit, none]", "quantizations: [Int4]"),
            ("engines: {Transformers: [4-bit, none], vLLM: [none]}", "engines: {vLLM: [Int4]}"),
            (
                TAKEN,
                TAKEN + SECOND.replace("pytorch", "gptq") + "    quantizations: [int4]\n" + OTHER,
            ),
        ],
        [
            "19:5: $.model_specs[1]: gptq of 1_8 billion with quantization Int4 on huggingface is already model_specs[0]; remove one of the two, or say 'shadowed: true' here"
        ],
    ),
    (
        "shadowed by nothing",
        [(TAKEN, TAKEN + SECOND + "    quantizations: [8-bit]\n" + OTHER + "    shadowed: true\n")],
        ["19:5: $.model_specs[0].shadowed: no earlier checkpoint shadows this one; remove the key"],
    ),
    (
        "shadowed is not false",
        [
            (
                TAKEN,
                TAKEN + SECOND + "    quantizations: [8-bit]\n" + OTHER + "    shadowed: false\n",
            )
        ],
        [
            "19:15: $.model_specs[0].shadowed: false does not fit; expected true for a checkpoint of which the host never launches a quantization, because an earlier one of the same format and size has it on the same hub"
        ],
    ),
    (
        "neither architectures nor a family of the host",
        [("architectures: [BaseModel]\n", "")],
        ["1:1: $: missing key 'architectures' or 'model_family'; add one of them"],
    ),
    (
        "mistyped architectures",
        [("architectures: [BaseModel]", "architecture: [BaseModel]")],
        ["7:1: $.architecture: unknown key; did you mean 'architectures'?"],
    ),
    (
        "ggufv2 without the name of its file",
        [(TAKEN, TAKEN + GGUF)],
        [
            "18:30: $.model_specs[0].model_src.huggingface: ggufv2 needs 'model_file_name_template', here or above; add it"
        ],
    ),
    (
        "split files without parts",
        [
            (
                TAKEN,
                TAKEN
                + GGUF
                + "    model_file_name_template: a-{quantization}.gguf\n    model_file_name_split_template: a-{quantization}-{part}.gguf\n",
            )
        ],
        [
            "18:30: $.model_specs[0].model_src.huggingface: 'model_file_name_split_template' needs 'quantization_parts'; add them"
        ],
    ),
    (
        "parts without a name",
        [
            (
                TAKEN,
                TAKEN
                + GGUF
                + "    model_file_name_template: a-{quantization}.gguf\n    quantization_parts: {Q8_0: [1-of-2, 2-of-2]}\n",
            )
        ],
        [
            "18:30: $.model_specs[0].model_src.huggingface: 'quantization_parts' needs 'model_file_name_split_template'; add it"
        ],
    ),
    (
        "no name of a file at all",
        [(TAKEN, TAKEN + GGUF + '    model_file_name_template: ""\n')],
        [
            "18:30: $.model_specs[0].model_src.huggingface: the empty 'model_file_name_template' names no file; fill it in, or add 'quantization_parts'"
        ],
    ),
    (
        "name of a file with another variable",
        [(TAKEN, TAKEN + GGUF + "    model_file_name_template: a-{quant}.gguf\n")],
        [
            "19:31: $.model_specs[0].model_file_name_template: 'a-{quant}.gguf' does not fit; expected the name of the file in the repository, where {quantization} stands for the chosen quantization"
        ],
    ),
    (
        "name of a file for another format",
        [("    prompt_format:", "    model_file_name_template: a.gguf\n    prompt_format:")],
        [
            "19:20: $.model_specs[0].model_src.huggingface: 'model_file_name_template' is for ggufv2, not for pytorch; remove it"
        ],
    ),
    (
        "variable in a repository that nothing replaces",
        [("owner/base", '"owner/base-{quant}"')],
        [
            "19:31: $.model_specs[0].model_src.huggingface.model_id: 'owner/base-{quant}' does not fit; expected the repository as owner/name, each of letters, digits, '.', '_' and '-'"
        ],
    ),
    (
        "dimension that is missing",
        [
            (
                "    prompt_format:",
                "    model_metadata: {vocab_size: 1, hidden_size: 1, intermediate_size: 1, num_hidden_layers: 1}\n    prompt_format:",
            )
        ],
        [
            "19:20: $.model_specs[0].model_src.huggingface: the dimensions here lack 'num_attention_heads'; add it to 'model_metadata' here or above"
        ],
    ),
    (
        "dimension that a quantization lacks",
        [
            (
                "    prompt_format:",
                "    model_metadata: {vocab_size: 1, hidden_size: 1, intermediate_size: 1, num_hidden_layers: 1}\n    model_metadata_by_quantization: {none: {num_attention_heads: 1}, 4-bit: {head_dim: 1}}\n    prompt_format:",
            )
        ],
        [
            "19:20: $.model_specs[0].model_src.huggingface: the dimensions of 4-bit lack 'num_attention_heads'; add it to 'model_metadata' here or above"
        ],
    ),
    (
        "dimension of nothing",
        [
            (
                "    prompt_format:",
                "    model_metadata: {vocab_size: 0, hidden_size: 1, intermediate_size: 1, num_hidden_layers: 1, num_attention_heads: 1}\n    prompt_format:",
            )
        ],
        [
            "20:34: $.model_specs[0].model_metadata.vocab_size: 0 is less than 1; expected the number of tokens of the vocabulary"
        ],
    ),
    (
        "checksum that is none",
        [
            (
                "    prompt_format:",
                "    model_metadata: {vocab_size: 1, hidden_size: 1, intermediate_size: 1, num_hidden_layers: 1, num_attention_heads: 1, config_sha256: abc}\n    prompt_format:",
            )
        ],
        [
            "20:136: $.model_specs[0].model_metadata.config_sha256: 'abc' does not fit; expected the SHA-256 of that config.json"
        ],
    ),
    (
        "quantizations of a hub",
        [("model_revision: main}", "model_revision: main, quantizations: [none, none]}")],
        [
            "19:87: $.model_specs[0].model_src.huggingface.quantizations[1]: 'none' stands twice in the list; remove one"
        ],
    ),
    (
        "index that is neither a text nor a list",
        [("prompt_formats:", "virtualenv: {packages: [], find_links: 3}\nprompt_formats:")],
        [
            "8:40: $.virtualenv.find_links: 3 does not fit; expected further places with archives: one, or a list"
        ],
    ),
    (
        "empty settings of the cache",
        [("prompt_formats:", "cache_config: {}\nprompt_formats:")],
        [
            "8:15: $.cache_config: this is empty, but must hold which files of a repository the host downloads"
        ],
    ),
    (
        "prompt format with a bad name",
        [("  plain:", "  plain text:")],
        [
            "9:3: $.prompt_formats['plain text']: 'plain text' does not fit; expected the name of a prompt format: letters, digits, '.', '_' and '-', beginning with a letter or digit",
            "20:20: $.model_specs[0].prompt_format: 'plain' is not one of the family's prompt_formats; did you mean 'plain text'?",
        ],
    ),
    (
        "key twice",
        [("model_lang: [en, zh]", "model_lang: [en, zh]\nmodel_lang: [en]")],
        ["5:1: $.model_lang: the key stands twice, first in line 4; remove one"],
    ),
    (
        "merge key",
        [('roles: {system: "S:"', 'roles: {<<: {a: b}, system: "S:"')],
        [
            "11:13: $.prompt_formats.plain.roles['<<']: the merge key '<<' is refused; write the keys out"
        ],
    ),
    (
        "tag",
        [("model_name: base", "model_name: !!python/name:os.system base")],
        ["1:13: $.model_name: the tag '!!python/name:os.system' is refused; remove it"],
    ),
    (
        "own tag",
        [("[en, zh]", "!langs [en, zh]")],
        ["4:13: $.model_lang: the tag '!langs' is refused; remove it"],
    ),
    (
        "undefined alias",
        [("turn_end: <end>", "turn_end: *end")],
        ["12:15: $: the alias 'end' is not defined; define it above with an anchor"],
    ),
    (
        "mistyped alias",
        [("turn_end: <end>\n    stop: [<end>]", "turn_end: &end_text <end>\n    stop: [*end_txt]")],
        ["13:12: $: the alias 'end_txt' is not defined; did you mean 'end_text'?"],
    ),
    (
        "alias in itself",
        [("stop: [<end>]", "stop: &stop [*stop]")],
        ["13:18: $: the alias 'stop' stands inside itself; write it out"],
    ),
    (
        "list as a key",
        [("model_name: base", "model_name: base\n[a, b]: c")],
        ["2:1: $: a key must be written out as text; replace it"],
    ),
    (
        "alias as a key",
        [("model_name: base", "model_name: &name base\n*name : c")],
        ["2:1: $: a key must be written out as text; replace it"],
    ),
    (
        "tab",
        [("    system_text: Be", "\tsystem_text: Be")],
        ["10:1: $: a tab cannot stand here; indent with spaces"],
    ),
    (
        "unclosed double quote",
        [("[<end>]", '["<end>]')],
        ["13:12: $: the quote is never closed; close it"],
    ),
    (
        "unclosed single quote",
        [("A family.", "'A family.")],
        ["6:20: $: the quote is never closed; close it"],
    ),
    (
        "unclosed bracket",
        [("[en, zh]", "[en, zh")],
        [
            "5:14: $: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence; correct it"
        ],
    ),
    (
        "missing colon",
        [("context_length: 4096", "context_length 4096")],
        [
            "4:1: $: not valid YAML: could not find expected ':' while scanning a simple key; correct it"
        ],
    ),
    (
        "wrong indentation",
        [("    turn_end:", "   turn_end:")],
        [
            "12:4: $: not valid YAML: did not find expected key while parsing a block mapping; correct it"
        ],
    ),
    (
        "second document",
        [("vLLM: [none]}\n", "vLLM: [none]}\n---\nmodel_name: other\n")],
        ["23:1: $: a second document begins here; keep one family per file"],
    ),
    (
        "several problems",
        [
            ("context_length: 4096", "context_lenght: 4096"),
            ("[chat]", "[chat, visoin]"),
            ("quantizations: [4-bit, none]", "quantizations: [4-bit, nnoe]"),
            (
                "vLLM: [none]}\n",
                "vLLM: [none]}\n  - model_format: awq\n    model_size_in_billions: 7\n    quantizations: [Int4]\n    model_src:\n      modelscope: {model_id: owner/awq}\n    published_engines: {vLLM: [int4]}\n",
            ),
        ],
        [
            "3:1: $.context_lenght: unknown key; did you mean 'context_length'?",
            "5:23: $.model_ability[1]: 'visoin' is not one of 'embed', 'generate', 'chat', 'tools', 'vision', 'audio', 'omni', 'reasoning', 'hybrid'; did you mean 'vision'?",
            "17:28: $.model_specs[0].quantizations[1]: 'nnoe' is not one of '4-bit', '8-bit', 'none', 'fp8', 'Int4', 'Int8'; did you mean 'none'?",
            "28:32: $.model_specs[1].published_engines.vLLM[0]: 'int4' is not one of the spec's quantizations 'Int4'; add it there or remove it",
        ],
    ),
]

# Whole files.
WHOLE: list[tuple[str, bytes, list[str]]] = [
    ("empty file", b"", ["1:1: $: the file is empty; describe a model family in it"]),
    (
        "only a comment",
        b"# nothing\n",
        ["1:1: $: the file is empty; describe a model family in it"],
    ),
    (
        "list at the root",
        b"- model_name: base\n",
        ["1:1: $: this is a list, but must be a mapping: one model family"],
    ),
    (
        "text at the root",
        b"base\n",
        ["1:1: $: 'base' is text, but must be a mapping: one model family"],
    ),
    (
        "binary file",
        bytes(range(256)),
        ["2:118: $: the byte 0x80 is not UTF-8; save the file as UTF-8"],
    ),
    (
        "NUL in the text",
        b"model_name: base\0\n",
        ["1:17: $: the character U+0000 is not allowed; remove it"],
    ),
    (
        "UTF-16",
        b"\xff\xfem\x00",
        ["1:1: $: the byte 0xff is not UTF-8; save the file as UTF-8"],
    ),
    (
        "byte that is not UTF-8",
        b"model_name: b\xe4se\n",
        ["1:14: $: the byte 0xe4 is not UTF-8; save the file as UTF-8"],
    ),
    (
        "alias bomb",
        b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 10)) for c in b"bcdefghi"
        ),
        ["5:20: $: more than 50000 values, aliases written out; split the family"],
    ),
    ("nested lists", b"[" * 100_000, ["1:34: $: nested deeper than 32 levels; flatten it"]),
    ("nested mappings", b"{a: " * 100_000, ["1:133: $: nested deeper than 32 levels; flatten it"]),
    ("nested blocks", b"- " * 100_000, ["1:67: $: nested deeper than 32 levels; flatten it"]),
    (
        "large file",
        b"#" * ((1 << 20) + 1),
        ["1:1: $: the file is larger than 1 MiB; split the family"],
    ),
    (
        "many values",
        b"a: [" + b"x," * 60_000 + b"]",
        ["1:99999: $: more than 50000 values, aliases written out; split the family"],
    ),
    (
        "half a character",
        b'a: "\\ud800"\n',
        [
            "1:7: $: not valid YAML: found invalid Unicode character escape code while parsing a quoted scalar; correct it"
        ],
    ),
]


def _lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Run the generator, which must refuse, and return what it prints."""
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


@pytest.mark.parametrize(
    ("edits", "lines"), [case[1:] for case in EDITED], ids=[case[0] for case in EDITED]
)
def test_edited_spec(
    edits: Edits, lines: list[str], base: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for old, new in edits:
        assert old in base
        base = base.replace(old, new, 1)
    (folder / "spec.yaml").write_text(base, "utf-8")
    assert _lines(capsys, "build", "--output", "out", "spec.yaml") == [
        f"spec.yaml:{line}" for line in lines
    ]
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("data", "lines"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE]
)
def test_whole_file(
    data: bytes, lines: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "spec.yaml").write_bytes(data)
    assert _lines(capsys, "build", "--output", "out", "spec.yaml") == [
        f"spec.yaml:{line}" for line in lines
    ]
    assert not (folder / "out").exists()


def test_base_is_valid(base: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "spec.yaml").write_text(base, "utf-8")
    assert main(["validate", "spec.yaml"]) == 0
    assert capsys.readouterr().out == "spec.yaml: valid\n"


def _missing(folder: Path) -> None:
    pass


def _directory(folder: Path) -> None:
    (folder / "spec.yaml").mkdir()


def _loop(folder: Path) -> None:
    (folder / "spec.yaml").symlink_to("spec.yaml")


def _device(folder: Path) -> None:
    (folder / "spec.yaml").symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_missing, "there is no such file; check the name"),
        (_directory, "this is a directory; name a spec file in it"),
        (
            _loop,
            "the file cannot be read (Too many levels of symbolic links); "
            "check the name and its permissions",
        ),
        (_device, "this is not a regular file; name a spec file"),
    ],
)
def test_unreadable_spec(
    make: Callable[[Path], None], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(folder)
    assert _lines(capsys, "validate", "spec.yaml") == [f"spec.yaml:1:1: $: {message}"]


def test_file_in_place_of_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    assert _lines(capsys, "validate", "file/spec.yaml") == [
        "file/spec.yaml:1:1: $: the file cannot be read (Not a directory); "
        "check the name and its permissions"
    ]


def test_every_file_of_a_run_is_reported_and_nothing_written(
    base: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.yaml").write_text(base, "utf-8")
    (folder / "b.yaml").write_text(base.replace("[chat]", "[chut]"), "utf-8")
    (folder / "a.yaml").write_text(base.replace("4096", "no"), "utf-8")
    assert _lines(capsys, "build", "--output", "out", "good.yaml", "b.yaml", "a.yaml") == [
        "a.yaml:3:17: $.context_length: 'no' is text, but must be a whole number: "
        "the longest context in tokens, prompt and answer together",
        "b.yaml:5:17: $.model_ability[0]: 'chut' is not one of 'embed', 'generate', 'chat', "
        "'tools', 'vision', 'audio', 'omni', 'reasoning', 'hybrid'; did you mean 'chat'?",
    ]
    assert not (folder / "out").exists()


def test_two_files_with_one_family(
    base: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.yaml").write_text(base, "utf-8")
    (folder / "b.yaml").write_text(base.replace("model_name: base", "model_name: Base"), "utf-8")
    assert _lines(capsys, "validate", "a.yaml", "b.yaml") == [
        "b.yaml:1:13: $.model_name: 'Base' is already the family of a.yaml; rename one of the two"
    ]


def test_one_file_named_twice(base: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(base, "utf-8")
    assert main(["validate", "a.yaml", "./a.yaml"]) == 0


def test_many_mistakes_are_all_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = "".join(f"{'model_nam' * 6}{number}: x\n" for number in range(3_000))
    (folder / "spec.yaml").write_text(keys, "utf-8")
    assert len(_lines(capsys, "validate", "spec.yaml")) > 3_000
