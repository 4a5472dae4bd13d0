"""The tiny InternVL2 that sees: its task, its vocabulary, its training, and its export."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tests.shapes.backbone_tokenizers import find_rows, make_tokenizer
from tests.shapes.batches import NO_LABEL, Encoder, make_batches
from tests.shapes.evaluate import EVALUATED
from tests.shapes.export import export, read_state
from tests.shapes.model import compute_hidden_states, make_model
from tests.shapes.patch_labels import make_views
from tests.shapes.picture import Picture, Shape
from tests.shapes.questions import (
    Question,
    ask_about_picture,
    ask_about_video,
    describe_contents,
    find_place,
)
from tests.shapes.task import MEDIA, Sample, draw_samples, is_held_out
from tests.shapes.train import Lesson, Lessons, Settings, Trainer, make_encoders, train
from tests.shapes.vocabulary import PIECES, UNKNOWN, list_texts, split_words
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.tokenizer.tokenizer import encode_segments, load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model

KINDS = ("qwen2", "internlm2", "phi3", "yi", "llama3")
DISGUISES = [
    ("qwen2", "qwen2"),
    ("internlm2", "internlm2"),
    ("phi3", "phi3"),
    ("llama", "yi"),
    ("llama", "llama3"),
]


def circle(x: float, y: float, colour: str = "red") -> Shape:
    return Shape("circle", colour, (255, 0, 0), x, y, 20.0)


def square(x: float, y: float, colour: str = "blue") -> Shape:
    return Shape("square", colour, (0, 0, 255), x, y, 20.0)


@pytest.mark.parametrize("media", MEDIA)
def test_a_seed_gives_the_same_samples_and_pixels(media: Any) -> None:
    once, again = (list(islice(draw_samples("train", 3, [(media, 1.0)]), 5)) for _ in range(2))
    assert once == again
    assert once != list(islice(draw_samples("train", 4, [(media, 1.0)]), 5))
    for first, second in zip(once, again, strict=True):
        for picture, twin in zip(first.pictures, second.pictures, strict=True):
            assert picture.draw().tobytes() == twin.draw().tobytes()


@pytest.mark.parametrize("media", ["tile", "picture", "pair", "video"])
def test_what_is_held_out_is_never_trained_on(media: Any) -> None:
    trained = islice(draw_samples("train", 0, [(media, 1.0)]), 200)
    assert not any(is_held_out(sample.pictures) for sample in trained)
    held_out = islice(draw_samples("held-out", 0, [(media, 1.0)]), 20)
    assert all(is_held_out(sample.pictures) for sample in held_out)


def test_answers_about_a_picture() -> None:
    picture = Picture(200, 200, (square(160, 100), circle(30, 100)))
    found: dict[str, set[tuple[str, str]]] = {}
    for seed in range(200):
        for question in ask_about_picture(Random(seed), picture):
            found.setdefault(question.kind, set()).add((question.text, question.answer))
    assert describe_contents(picture.shapes) == (
        "a red circle and a blue square",
        "红色的圆形和蓝色的正方形",
    )
    assert ("What is in the picture?", describe_contents(picture.shapes)[0]) in found["contents"]
    assert ("What colour is the square?", "blue") in found["colour"]
    assert ("圆形是什么颜色？", "红色") in found["colour"]
    assert ("有几个图形？", "两个") in found["count"]
    assert ("Which shape is red?", "the circle") in found["shape"]
    assert ("Is there a red square?", "no") in found["presence"]
    assert ("有蓝色的正方形吗？", "有") in found["presence"]
    assert ("Where is the circle?", "on the left") in found["place"]
    for questions in found.values():  # one question has one answer
        assert len({text for text, _ in questions}) == len(questions)


def test_a_place_is_named_only_where_it_is_clear() -> None:
    picture = Picture(100, 100, ())
    places = {(50, 50): "middle", (10, 50): "left", (50, 90): "bottom", (90, 88): None}
    for (x, y), place in places.items():
        assert find_place(picture, circle(x, y)) == place


def test_answers_about_a_video() -> None:
    first = Picture(100, 100, (circle(15, 50, "red"),))
    last = Picture(100, 100, (circle(50, 85, "green"),))
    answers = {q.kind: q.answer for q in ask_about_video(Random(0), (first, last))}
    assert answers == {
        "start": "on the left",
        "start_colour": "red",
        "end": "at the bottom",
        "end_colour": "green",
        "change": "yes",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_tokenizer_cuts_every_text_alike(tmp_path: Path, kind: str) -> None:
    tokenizer = make_tokenizer(tmp_path, kind)
    row = find_rows(tokenizer, kind)
    for text in list_texts():
        ids = encode_segments(tokenizer, [("<img>", True), ("\n" + text, False)])
        pieces = [PIECES[row[index]] for index in ids]
        assert pieces[-len(split_words(text)) - 1 :] == ["\n", *split_words(text)]
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text.strip()


def test_sentencepiece_itself_cuts_them_alike(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    make_tokenizer(tmp_path, "internlm2")
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    for text in list_texts():
        pieces = model.encode_as_pieces(text)
        assert [p.replace("▁", " ").replace("<0x0A>", "\n") for p in pieces] == split_words(text)


def test_a_text_of_other_words_is_made_of_unknown_pieces(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path, "qwen2")
    row = find_rows(tokenizer, "qwen2")
    ids = encode_segments(tokenizer, [("quick", False)])
    assert {PIECES[row[index]] for index in ids} == {UNKNOWN}


@pytest.fixture(scope="module")
def some_samples() -> list[Sample]:
    return [next(draw_samples("held-out", 5, [(media, 1.0)])) for media in MEDIA]


def test_a_question_sees_nothing_of_the_others_of_its_row(some_samples: list[Sample]) -> None:
    model, encoder = make_model(0).eval(), make_encoders()[2]
    for sample in some_samples:
        (together,) = make_batches([sample], [encoder], 1)
        logits = answer_logits(model, together)
        alone = [
            answer_logits(model, make_batches([replace(sample, questions=(q,))], [encoder], 1)[0])
            for q in sample.questions
        ]
        assert torch.allclose(logits, torch.cat(alone), atol=1e-4)


@torch.inference_mode()
def answer_logits(model: Any, batch: Any) -> torch.Tensor:
    states = compute_hidden_states(model, batch).last
    logits: torch.Tensor = model.lm_head(states[batch.labels != NO_LABEL])
    return logits


@pytest.mark.parametrize(("backbone", "kind"), DISGUISES)
def test_every_backbone_is_the_same_function(
    tmp_path: Path, some_samples: list[Sample], backbone: Any, kind: str
) -> None:
    state = make_model(1).state_dict()
    path = export(tmp_path, backbone, state, tokenizer=kind, dtype="float32")
    config, tokenizer = read_config(path), load_tokenizer(path)
    row = find_rows(tokenizer, kind)
    own = Encoder(tokenizer, config.template)
    known = replace(own, rows=row)
    trained = make_model(1).eval()
    (expected,) = make_batches(some_samples, [known], len(some_samples))
    (found,) = make_batches(some_samples, [own], len(some_samples))
    logits = answer_logits(load_model(path), found)[:, : len(row)]
    wanted = answer_logits(trained, expected)[:, torch.tensor(row)]
    assert logits.shape == wanted.shape
    assert (logits - wanted).abs().max() < 1e-4


def test_the_exported_checkpoint_is_a_source_again(tmp_path: Path) -> None:
    state = make_model(2).state_dict()
    again = read_state(export(tmp_path, "qwen2", state, dtype="float32"))
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())


def test_training_shows_progress_and_accuracies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(steps=4, sight_steps=2, batch_size=4, micro_batch_size=2)
    assert train(tmp_path, settings, report_every=1, evaluated=2).step == 4
    *progress, table = capsys.readouterr().out.split("\n", 4)
    assert [line.split(",")[0] for line in progress] == [f"step {n} of 4" for n in (1, 2, 3, 4)]
    assert all(f"\n{media} " in "\n" + table for media in EVALUATED)


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    settings = Settings(steps=4, sight_steps=2, batch_size=4, micro_batch_size=2)
    steps = Lessons(settings, make_encoders())
    whole, resumed = Trainer(settings), Trainer(replace(settings, seed=1))
    losses = [whole.train_step(steps[number]) for number in range(3)]
    whole.save(tmp_path / "state.pt")
    resumed.load(tmp_path / "state.pt")
    assert whole.train_step(steps[3]) == resumed.train_step(steps[3])
    assert all(
        torch.equal(one, other)
        for one, other in zip(
            whole.model.state_dict().values(), resumed.model.state_dict().values(), strict=True
        )
    )
    assert losses[0][0] == 0 < losses[2][0]


def test_training_learns() -> None:
    settings = Settings(steps=30, sight_steps=0, batch_size=4, micro_batch_size=4)
    trainer, encoders = Trainer(settings), make_encoders()
    list_texts = list(islice(draw_samples("train", 0, [("text", 1.0)]), 4))
    views = make_views(list(islice(draw_samples("train", 0, [("tile", 1.0)]), 4)))
    lesson = Lesson(views, make_batches(list_texts, encoders, 4))
    losses = [trainer.train_step(lesson) for _ in range(30)]
    assert losses[-1][0] < losses[0][0] / 4
    assert losses[-1][1] < losses[0][1] / 2


def test_what_an_image_token_sees() -> None:
    """A wide picture of two tiles and a thumbnail: a red circle on the left of the second."""
    picture = Picture(112, 56, (replace(circle(68, 28), radius=10.0),))
    views = make_views([Sample("picture", (picture,), ())])
    red_circle, left, middle = 1, 3, 4
    assert views.pixel_values.shape == (3, 3, 56, 56)
    assert views.cells.tolist() == [[0] * 4, [red_circle, 0] * 2, [0, red_circle] * 2]
    assert views.zones.tolist() == [[0] * 4, [left, 0] * 2, [0, middle] * 2]


def test_a_question_may_follow_another() -> None:
    first = Question("count", "How many shapes are there?", "one")
    second = Question("colour", "What colour is the circle?", "red", after=first)
    sample = Sample("picture", (Picture(60, 60, (circle(30, 30),)),), (second,))
    encoder = make_encoders()[0]
    (batch,) = make_batches([sample], [encoder], 1)
    text = "".join(PIECES[index] for index in batch.input_ids[0].tolist())
    assert text.endswith(
        "How many shapes are there?<|im_end|><|im_start|>assistant\none<|im_end|>"
        "<|im_start|>user\nWhat colour is the circle?<|im_end|><|im_start|>assistant\nred"
    )
