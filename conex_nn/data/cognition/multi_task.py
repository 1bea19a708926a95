"""Several tasks for one network."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Int64
from torch import Tensor

from conex_nn.data.cognition.balanced import balanced
from conex_nn.data.cognition.cognitive_task import CognitiveTask
from conex_nn.data.cognition.trials import Trials

__all__ = ["MultiTask"]


class MultiTask:
    """Mix trials of several tasks, each marked by an input of its own that says which rule holds.

    The tasks share fixation, the other inputs and the choices, from the first on: the second input of one is the second
    of all. After them comes one input for each rule, on throughout the trial. Tasks come equally often. Shorter trials
    end before the longest, with nothing asked of what follows. In ``info``: ``task`` (from 0), and what each
    task tells; where another does not tell it, NaN, or -1 for integers.

    Args:
        tasks: The tasks, by name.

    Raises:
        ValueError: Fewer than two tasks, or different steps.
        TypeError: Something that is no task.

    Example:
        >>> from conex_nn.data import DelayedMatch, PerceptualDecision
        >>> both = MultiTask({"dots": PerceptualDecision(), "match": DelayedMatch()})
        >>> trials = both.trials(10)
        >>> trials.inputs.shape, trials.info["task"].bincount()
        (torch.Size([100, 10, 5]), tensor([5, 5]))

    References:
        Yang et al., Nature Neuroscience 22 (2019), 297-306: rule inputs, and inputs and outputs that tasks share.
    """

    def __init__(self, tasks: Mapping[str, CognitiveTask]) -> None:
        if len(tasks) < 2:
            raise ValueError(f"Expected `tasks` to be at least 2, got {len(tasks)}.")
        for name, task in tasks.items():
            if not isinstance(task, CognitiveTask):
                raise TypeError(f"Expected {name!r} of `tasks` to be a CognitiveTask, got {type(task).__name__}.")
        steps_of = {name: task.dt for name, task in tasks.items()}
        if len(set(steps_of.values())) > 1:
            raise ValueError(f"Expected `tasks` of one `dt` [ms], got {steps_of}.")
        self.tasks = dict(tasks)
        self.dt = next(iter(tasks.values())).dt
        self._widest = max(tasks.values(), key=lambda task: len(task.input_names))
        shared = (f"input {place}" for place in range(1, len(self._widest.input_names)))
        self.input_names = ("fixation", *shared, *(f"rule {name}" for name in tasks))
        choices = max(len(task.class_names) for task in tasks.values())
        self.class_names = ("fixate", *(f"choice {place}" for place in range(1, choices)))

    @property
    def num_inputs(self) -> int:
        """Inputs of a network for all of them: fixation, what they share, and the rules [1]."""
        return len(self.input_names)

    @property
    def num_classes(self) -> int:
        """Outputs of a network for all of them [1]."""
        return len(self.class_names)

    @property
    def steps(self) -> int:
        """Steps of the longest trial [1]."""
        return max(task.steps for task in self.tasks.values())

    def trials(self, count: int, *, generator: torch.Generator | None = None) -> Trials:
        """Make trials, see :meth:`CognitiveTask.trials`.

        Args:
            count: Number of trials [1].
            generator: Source of randomness; its device is that of the trials.

        Returns:
            The trials, time first, tasks in random order.

        Raises:
            ValueError: Fewer than one.
        """
        if count < 1:
            raise ValueError(f"Expected `count` to be at least 1 [1], got {count}.")
        (which,) = balanced(count, len(self.tasks), generator=generator)
        parts = [
            self._with_rule(place, task.trials(number, generator=generator))
            for place, (task, number) in enumerate(
                zip(self.tasks.values(), which.bincount(minlength=len(self.tasks)).tolist(), strict=True)
            )
            if number
        ]
        order = which.argsort(stable=True).argsort()  # where, among the parts one after the other, each trial is
        joined = [torch.cat(same, 1)[:, order] for same in zip(*(part[:-1] for part in parts), strict=True)]
        return Trials(*joined, info={name: values[order] for name, values in _told(parts).items()})

    def _with_rule(self, place: int, trials: Trials) -> Trials:
        """Widen and lengthen the trials of one task to those of all, and add the rule."""
        count = trials.inputs.shape[1]
        later = self.steps - len(trials.inputs)
        stimuli = F.pad(trials.inputs, (0, len(self._widest.input_names) - trials.inputs.shape[-1]))
        on = (trials.mask > 0) | (trials.targets > 0)  # from the beginning to the end of a trial
        rule = F.one_hot(torch.tensor(place, device=on.device), len(self.tasks)) * on.unsqueeze(-1)
        inputs = F.pad(torch.cat([stimuli, rule.to(stimuli.dtype)], -1), (0, 0, 0, 0, 0, later))
        targets, mask, decision = (F.pad(part, (0, 0, 0, later)) for part in trials[1:-1])
        task: Int64[Tensor, " batch"] = torch.full((count,), place, device=inputs.device)
        return Trials(inputs, targets, mask, decision, {"task": task, **trials.info})


def _told(parts: list[Trials]) -> dict[str, Tensor]:
    """Put what tasks tell one after the other, with NaN or -1 where a task does not tell it."""
    names = {name: values for part in parts for name, values in part.info.items()}
    joined = {}
    for name, like in names.items():
        missing = torch.nan if like.is_floating_point() else -1
        kind = like.dtype if like.dtype != torch.bool else torch.long
        rows = [
            part.info[name].to(kind)
            if name in part.info
            else torch.full((part.inputs.shape[1],), missing, dtype=kind, device=like.device)
            for part in parts
        ]
        joined[name] = torch.cat(rows)
    return joined
