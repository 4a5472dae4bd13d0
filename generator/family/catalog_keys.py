"""The optional keys of Xinference's catalog that a spec hands on to it unchanged."""

HOST_SETTINGS = (
    "model_family",
    "model_type",
    "chat_template",
    "stop_token_ids",
    "stop",
    "reasoning_start_tag",
    "reasoning_end_tag",
    "tool_parser",
    "featured",
    "cache_config",
    "virtualenv",
    "prompt_style",
    "is_built_in",
)
"""What a family may say."""

SOURCE_SETTINGS = (
    "model_file_name_template",
    "model_file_name_split_template",
    "quantization_parts",
    "multimodal_projectors",
    "draft_model_id",
    "draft_model_revision",
    "draft_model_file_name_template",
    "draft_quantizations",
)
"""What a checkpoint may say for all of its hubs, or a hub for itself.

So it may with its dimensions, but of those a hub says only what it adds.
"""
