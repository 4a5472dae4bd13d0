"""The command line: `python -m xinference_internvl2 {doctor,render,demo}`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .doctor.byte_sizes import parse_size
from .errors import CheckpointError, RequestError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _build_parser()
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options, parser)
    except (CheckpointError, RequestError) as error:
        print(error, file=sys.stderr)
        return 1
    return status


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xinference-internvl2",
        description="What can run on this machine, what a checkpoint holds, and how to launch it.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_doctor(commands.add_parser("doctor", help="say what this machine or a checkpoint can do"))
    _add_render(commands.add_parser("render", help="show the prompt that a request becomes"))
    demo = commands.add_parser("demo", help="start a server with a tiny model, and ask it")
    demo.add_argument("--engine", default="Transformers", choices=("Transformers", "vLLM"))
    demo.set_defaults(run=_run_demo)
    return parser


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument("path", nargs="?", type=Path, help="the folder of a checkpoint")
    doctor.add_argument(
        *("--ask",),
        nargs=2,
        metavar=("PICTURE", "QUESTION"),
        help="load the checkpoint without a server and answer once",
    )
    doctor.add_argument("--context", type=_parse_count, default=8192, help="tokens (8192)")
    doctor.add_argument(
        "--pictures", type=_parse_count, default=1, help="pictures in a context (1)"
    )
    doctor.add_argument("--answers", type=_parse_count, default=1, help="answers at once (1)")
    doctor.add_argument("--memory", type=parse_size, help="of a card that is not here: 24GB, 24GiB")
    doctor.add_argument("--json", action="store_true", help="for scripts")
    doctor.set_defaults(run=_run_doctor)


def _add_render(render: argparse.ArgumentParser) -> None:
    render.add_argument("path", type=Path, help="the folder of a checkpoint")
    render.add_argument(
        "request", help="a JSON file: a request, or its messages; - is standard input"
    )
    render.add_argument(
        "--model-name", choices=_list_families(), help="the family that it is launched as"
    )
    for option in ("system", "image-labels", "max-dynamic-patch"):
        kind = int if option == "max-dynamic-patch" else str
        render.add_argument(f"--{option}", type=kind, help="as of a launch")
    render.add_argument("--json", action="store_true", help="with the token ids and tiles")
    render.set_defaults(run=_run_render)


def _run_doctor(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from .doctor import devices, fits, machine_report
    from .families.memory_estimate import Use

    if options.ask:
        from .doctor.ask import ask

        picture, question = options.ask
        print(ask(options.path, Path(picture), question))
        return 0
    use = Use(options.context, options.pictures, options.answers)
    if refusal := fits.refuse_pictures(use):
        parser.error(refusal)
    found = devices.find_devices()
    if options.memory:
        found = [devices.Device("gpu", "A card", options.memory, options.memory)]
    if options.path is not None:
        from .doctor import checkpoint_report

        about = checkpoint_report.examine(options.path, found, use)
        text = "\n".join(checkpoint_report.as_text(about))
        print(checkpoint_report.as_json(about) if options.json else text)
        return about.status
    report = machine_report.examine(found, use)
    text = "\n".join(machine_report.as_text(report))
    print(machine_report.as_json(report) if options.json else text)
    return report.status


def _run_render(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from .doctor.render_prompt import render

    try:
        file = options.request
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        request = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        parser.error(f"{options.request} cannot be read as JSON: {error}")
    names = ("system", "image_labels", "max_dynamic_patch")
    launch = {name: getattr(options, name) for name in names}
    found = render(options.path, request, options.model_name, launch)
    print(json.dumps(found, ensure_ascii=False) if options.json else found["prompt"])
    return 0


def _list_families() -> list[str]:
    from .families.records import load_runtimes

    return sorted(load_runtimes())


def _run_demo(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from .demo.run import run

    return run(options.engine)


def _parse_count(text: str) -> int:
    digits = text.lower().removesuffix("k")
    if not digits.isdecimal() or not 0 < int(digits) < 10**9:
        wanted = "a number from 1 on, of nine digits at most, such as 8192 or 8k"
        raise argparse.ArgumentTypeError(f"{text} is not {wanted}")
    return int(digits) * (1024 if digits != text.lower() else 1)


if __name__ == "__main__":
    sys.exit(main())
