"""Output of the commands: the steps of an update."""

from io import StringIO

from rich.console import Console

from personalize.engine.events import Phase, StepUpdate
from personalize.terminal.progress import StepDisplay


def shown(updates: list[StepUpdate]) -> str:
    stream = StringIO()
    with StepDisplay(Console(file=stream, force_terminal=False, width=90, color_system=None)).shown() as display:
        for update in updates:
            display(update)
    return stream.getvalue()


def step(phase: Phase, operation: str = "", text: str = "") -> StepUpdate:
    return StepUpdate(step="TrainingRun", phase=phase, operation=operation, text=text)


def test_without_a_terminal_each_stage_is_one_line() -> None:
    messages = [step(Phase.MESSAGE, text=f"fit: iteration {number} of 50") for number in range(1, 51)]
    lines = shown(
        [step(Phase.STARTED, "create"), *messages, step(Phase.MESSAGE, text="evaluate"), step(Phase.FINISHED, "create")]
    ).splitlines()
    assert lines == [
        "training: creating",
        "training: fit: iteration 1 of 50",
        "training: evaluate",
        "training: created",
    ]


def test_on_a_terminal_the_newest_message_stands_beside_its_step() -> None:
    display = StepDisplay(Console(file=StringIO(), force_terminal=True))
    for text in ("fit: iteration 7 of 50", "fit: iteration 8 of 50"):
        display(step(Phase.STARTED, "create"))
        display(step(Phase.MESSAGE, text=text))
    screen = Console(file=StringIO(), width=90)
    with screen.capture() as captured:
        screen.print(display)
    [line] = captured.get().splitlines()
    assert "training" in line
    assert "fit: iteration 8 of 50" in line
