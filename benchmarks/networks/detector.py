"""A detector with a feature pyramid (Lin et al. 2017), heads as maps or as one list of boxes (Liu et al. 2016)."""

from __future__ import annotations

import onnx

from benchmarks.networks.graph import Graph

LEVELS = 3
ANCHORS = 2


def detector(
    resolution: int = 128, width: int = 16, boxes: bool = False, classes: int = 3, seed: int = 0
) -> onnx.ModelProto:
    """A detector: a backbone of depthwise-separable blocks, a pyramid of three levels, two heads for each.

    Args:
        resolution: of the square input of 3 channels, in pixels; a multiple of 32.
        width: channels of the stem. Those of the pyramid are twice as many.
        boxes: whether the heads of all levels are concatenated, as [1, boxes, classes] and [1, boxes, 4]; otherwise
            each is an output of its own, [1, anchors * classes or 4, rows, columns].
        classes: of the objects.
        seed: of the weights.
    """
    kind = "ssd" if boxes else "fpn"
    g = Graph(f"{kind}_{resolution}", (1, 3, resolution, resolution), seed)
    levels = _backbone(g, width)
    pyramid = _pyramid(g, levels, 2 * width)
    heads: dict[str, list[str]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for level, entry in enumerate(pyramid, 3):
        side = resolution >> level
        for head, values in (("scores", classes), ("corners", 4)):
            name, g.last = f"{head}{level}", entry
            g.conv(name, g.random(ANCHORS * values, 2 * width, 3, 3), g.random_bias(ANCHORS * values), pads=[1] * 4)
            if head == "scores":
                g.add("Sigmoid", f"{name}_sigmoid")
            if boxes:
                g.add("Transpose", f"{name}_pixels", perm=[0, 2, 3, 1])
                g.reshape(f"{name}_list", 1, side * side * ANCHORS, values)
            heads.setdefault(head, []).append(g.last)
            shapes[g.last] = (1, ANCHORS * values, side, side)
    if not boxes:
        return g.model(shapes.pop(g.last), **shapes)
    count = ANCHORS * sum((resolution >> level) ** 2 for level in range(3, 3 + LEVELS))
    for head in heads:
        g.last = heads[head][0]
        g.add("Concat", head, *heads[head][1:], axis=1)
    return g.model((1, count, 4), scores=(1, count, classes))


def _backbone(g: Graph, width: int) -> list[tuple[str, int]]:
    """The maps at an eighth, a sixteenth and a thirty-second of the rows, with their channels."""
    inputs, levels = width, list[tuple[str, int]]()
    g.layer("stem", g.random(width, 3, 3, 3), stride=2, activation="Clip")
    for stage in range(2, 6):
        for number, stride in enumerate((2, 1), 1):
            outputs = width * (stage if stage < 4 else 2 * stage - 4)
            name = f"stage{stage}_block{number}"
            g.layer(f"{name}_dw", g.random(inputs, 1, 3, 3), stride=stride, groups=inputs, activation="Clip")
            g.layer(f"{name}_pw", g.random(outputs, inputs, 1, 1), activation="Clip")
            inputs = outputs
        levels.append((g.last, inputs))
    return levels[1:]


def _pyramid(g: Graph, levels: list[tuple[str, int]], channels: int) -> list[str]:
    """The maps of the pyramid, from the finest to the coarsest."""
    above, found = "", list[str]()
    for level, (entry, inputs) in reversed(list(enumerate(levels, 3))):
        g.last = entry
        g.conv(f"lateral{level}", g.random(channels, inputs, 1, 1), g.random_bias(channels))
        if above:
            lateral, g.last = g.last, above
            g.twice(f"up{level}")
            g.add("Add", f"sum{level}", lateral)
        above = g.last
        g.layer(f"smooth{level}", g.random(channels, channels, 3, 3))
        found.append(g.last)
    return found[::-1]
