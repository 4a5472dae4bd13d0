"""What a chat can contain: every case with its prompt, written out in each of the formats.

Unit tests hold the prompts against `render`; end-to-end tests send the messages to both engines.
"""

from .picture_cases import PICTURE_CASES
from .text_cases import TEXT_CASES
from .unlabelled_cases import UNLABELLED_CASES

CASES = [*TEXT_CASES, *PICTURE_CASES, *UNLABELLED_CASES]
