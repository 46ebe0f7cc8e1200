"""Preprocessing: what becomes of pixels from files and cameras, and where it is folded into the network."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import tinyc
from benchmarks.networks.graph import Graph
from tests.compiler.test_quantise_cli import network, refused
from tests.compiler.test_quantise_cli import tinyc as command
from tests.sessions import open_onnxruntime
from tinyc.compiler.cli.preprocessing import parse_normalise
from tinyc.compiler.data.inputs import load_inputs
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import channels as witness
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array
from tinyc.passes.integerise import boundary

IMAGENET = tinyc.Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), scale=255.0)
BILINEAR = Image.Resampling.BILINEAR


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """It takes 3 x 8 x 6."""
    return network(tmp_path / "net.onnx")


def photograph(width: int, height: int, seed: int = 3) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def read(image: Image.Image, model: Path, how: tinyc.Normalise) -> Array:
    """The pixels of an image as the model would get them, [height, width, channels]."""
    image.save(model.parent / "image.png")
    (sample,) = load_inputs(model.parent / "image.png", tinyc.load(model), how).samples
    return sample[0][0].transpose(1, 2, 0)


class TestNormalise:
    def test_is_float32_arithmetic_of_each_channel(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 6), dtype=np.uint8)
        found = IMAGENET.of(pixels, 1)
        assert found.dtype == np.float32
        for c, (m, s) in enumerate([(123.675, 58.395), (116.28, 57.12), (103.53, 57.375)]):
            wanted = (pixels[:, c].astype(np.float32) - np.float32(m)) / np.float32(s)
            np.testing.assert_array_equal(found[:, c], wanted)

    def test_channels_that_are_alike_are_one(self) -> None:
        assert tinyc.Normalise((127.5,) * 3, (127.5,) * 3).pairs == tinyc.Normalise(127.5, 127.5).pairs
        assert tinyc.Normalise([1.0, 2.0, 3.0], 4).pairs == tinyc.Normalise((1.0, 2.0, 3.0), (4.0,) * 3).pairs
        assert tinyc.Normalise(0.5, (0.5, 0.25), scale=2.0).pairs == ((1.0, 1.0), (1.0, 0.5))

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (((1.0, 2.0), (1.0, 2.0, 3.0)), "`mean` has 2 numbers and `std` 3"),
            ((0.0, (1.0, 0.0, 1.0)), "`std` is above 0"),
            ((float("nan"), 1.0), "`mean` takes a number"),
            (((0.0, float("inf")), 1.0), "`mean`"),
            ((0.0, 1.0, 0.0), "`scale` is above 0"),
            (((), ()), "`mean` has 0 numbers"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, arguments: tuple[Any, ...], words: str) -> None:
        with pytest.raises(TinycError, match=words):
            tinyc.Normalise(*arguments)


class TestImages:
    @pytest.mark.parametrize("size", [(40, 31), (31, 40), (6, 8), (7, 300)])
    def test_are_stretched_if_nothing_is_said(self, size: tuple[int, int], model: Path) -> None:
        image = photograph(*size)
        wanted = np.asarray(image.resize((6, 8), BILINEAR))
        np.testing.assert_array_equal(read(image, model, tinyc.Normalise(0.0, 1.0)), wanted)

    @pytest.mark.parametrize("size", [(40, 31), (31, 40), (600, 700)])
    def test_resize_is_of_the_shorter_side_and_the_centre_is_cut(self, size: tuple[int, int], model: Path) -> None:
        """As torchvision's Resize and CenterCrop of an image have it."""
        image = photograph(*size)
        short = min(size)
        scaled = image.resize((size[0] * 10 // short, size[1] * 10 // short), BILINEAR)
        left, top = round((scaled.width - 6) / 2), round((scaled.height - 8) / 2)
        wanted = np.asarray(scaled)[top : top + 8, left : left + 6]
        np.testing.assert_array_equal(read(image, model, tinyc.Normalise(0.0, 1.0, resize=10)), wanted)

    @pytest.mark.parametrize("size", [(40, 31), (31, 40), (60, 80)])
    def test_crop_keeps_the_shape_of_things(self, size: tuple[int, int], model: Path) -> None:
        image = photograph(*size)
        wanted = np.asarray(ImageOps.fit(image, (6, 8), BILINEAR)).astype(int)
        found = read(image, model, tinyc.Normalise(0.0, 1.0, crop=True))
        # Pillow's own rounds the box differently, by less than a pixel.
        assert np.abs(found - wanted).max() <= 8
        if size == (60, 80):
            np.testing.assert_array_equal(found, np.asarray(image.resize((6, 8), BILINEAR)))

    def test_bgr_turns_colours_and_not_their_means(self, model: Path) -> None:
        image = photograph(6, 8)
        means = (1.0, 20.0, 70.0)
        found = read(image, model, tinyc.Normalise(means, 1.0, channels="bgr"))
        np.testing.assert_array_equal(found, np.asarray(image)[:, :, ::-1] - np.array(means, np.float32))

    def test_too_small_a_resize(self, model: Path) -> None:
        with pytest.raises(TinycError, match=r"is 9 x 7 pixels by `resize=7`, and the input 6 x 8"):
            read(photograph(40, 31), model, tinyc.Normalise(resize=7))

    def test_as_many_means_as_channels(self, model: Path) -> None:
        with pytest.raises(TinycError, match="`normalise` has 2 means and deviations"):
            read(photograph(6, 8), model, tinyc.Normalise((1.0, 2.0), 1.0))


class TestFlags:
    def test_what_they_say(self) -> None:
        assert parse_normalise("") is None
        assert parse_normalise("127.5,127.5") == tinyc.Normalise(127.5, 127.5)
        assert parse_normalise("0.485,0.456,0.406/0.229,0.224,0.225", "255") == IMAGENET
        assert parse_normalise("0.5/0.5", "255") == tinyc.Normalise(0.5, 0.5, 255.0)
        assert parse_normalise("", "255") == tinyc.Normalise(0.0, 1.0, 255.0)
        assert parse_normalise("", channels="bgr") == tinyc.Normalise(channels="bgr")
        assert parse_normalise("", resize="256", crop=True) == tinyc.Normalise(resize=256, crop=True)

    @pytest.mark.parametrize(
        "text", ["1", "1,2,3", "1,2/3", "1,2/3,0", "1,x/2,3", "1,2/", "/", "1/2/3", "nan,1", "1,-1"]
    )
    def test_lists_that_are_none(self, text: str) -> None:
        with pytest.raises(TinycError, match="--normalize takes MEAN,STD"):
            parse_normalise(text)

    @pytest.mark.parametrize(("flags", "word"), [({"scale": "0"}, "--pixel-scale"), ({"resize": "0"}, "--resize")])
    def test_numbers_that_are_none(self, flags: dict[str, str], word: str) -> None:
        with pytest.raises(TinycError, match=word):
            parse_normalise("", **flags)

    def test_messages_name_them(self, model: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "c.npz", image=np.zeros((4, 3, 8, 6), np.uint8))
        how = ("--quantize", "int8", "--calibration", tmp_path / "c.npz", "-o", tmp_path / "out")
        refused(
            command("compile", model, *how, "--normalize", "1,2/3,4"), "--normalize has 2 means", "image [1, 3, 8, 6]"
        )


def images(count: int = 30) -> Array:
    coarse = np.random.default_rng(5).integers(0, 256, (count, 3, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 2, axis=2), 2, axis=3)


def compiled(model: Path, input_type: str, how: tinyc.Normalise = IMAGENET, **options: Any) -> tinyc.Compilation:
    np.savez(model.parent / "samples.npz", image=images())
    kinds: Any = {"input_type": input_type}
    quantise = tinyc.QuantiseOptions(model.parent / "samples.npz", normalise=how, **kinds)
    return tinyc.compile(model, quantise=quantise, **options)


def test_what_the_c_does_not_scale(model: Path) -> None:
    """Floats are said to be the caller's work; pixels are scaled by the network."""
    told = [any("the C does not scale pixels" in n for n in compiled(model, t).notes) for t in ("float32", "uint8")]
    assert told == [True, False]
    assert any("the C does not scale pixels" in n for n in tinyc.compile(model, normalise=IMAGENET).notes)


@pytest.mark.parametrize("options", [{}, {"input_layout": "nhwc"}, {"rows_from": "callback"}])
def test_pixels_give_what_int8_gives(model: Path, options: dict[str, Any]) -> None:
    """Bit for bit, in the interpreter and as C, for planes, pixels and rows; and the floats of the model as well."""
    given = np.random.default_rng(9).integers(0, 256, (20, 3, 8, 6), dtype=np.uint8)
    whole, pixels = compiled(model, "int8", verify=False), compiled(model, "uint8", **options)
    wanted = whole(IMAGENET.of(given, 1))["probabilities"]
    assert len(np.unique(wanted, axis=0)) > 3
    for on in ("interpreter", "host"):
        np.testing.assert_array_equal(pixels(given, on=on)["probabilities"], wanted)
    np.testing.assert_array_equal(pixels(IMAGENET.of(given, 1))["probabilities"], wanted)
    assert pixels.evaluate({"image": given}).outputs == whole.evaluate({"image": given}).outputs


def test_the_report_has_every_channel(model: Path, tmp_path: Path) -> None:
    report = compiled(model, "uint8", output=tmp_path / "out").report
    for port in (report["interface"]["inputs"][0], report["quantisation"]["inputs"][0]):
        assert port["zero_point"] == pytest.approx([123.675, 116.28, 103.53])
        assert port["scale"] == pytest.approx([1 / 58.395, 1 / 57.12, 1 / 57.375])
    assert (
        json.loads((tmp_path / "out" / "report.json").read_text())["interface"]["inputs"]
        == report["interface"]["inputs"]
    )
    header = (tmp_path / "out" / "net.h").read_text()
    assert "#define NET_INPUT_ZERO_POINT_2 103.53f" in header
    assert "NET_INPUT_FROM_RGB565_BE(to, k, bytes)" in header


def test_on_the_command_line(model: Path, tmp_path: Path) -> None:
    """A folder of images, and what is written gives in onnxruntime's eyes the same class as the C."""
    (tmp_path / "images").mkdir()
    for k in range(12):
        photograph(30 + k, 25, seed=k).save(tmp_path / "images" / f"{k:02d}.png")
    flags = ("--normalize", "0.485,0.456,0.406/0.229,0.224,0.225", "--pixel-scale", "255", "--channels", "bgr")
    more = ("--resize", "12", "--calibration", tmp_path / "images", "--evaluate", tmp_path / "images")
    how = (*flags, *more, "--quantize", "int8", "--input-type", "uint8")
    result = command("compile", model, *how, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert found["evaluation"]["in_calibration_data"] == 12
    how_read = parse_normalise(flags[1], "255", "bgr", "12")
    samples = load_inputs(tmp_path / "images", tinyc.load(model), how_read).samples
    float_model = open_onnxruntime(model)
    assert float_model.run(None, {"image": samples[0][0]})[0].shape == (1, 5)
    low, high = found["input_ranges"][0]["seen"]
    assert (low, high) == pytest.approx((min(s[0].min() for s in samples), max(s[0].max() for s in samples)), rel=1e-4)
    header = (tmp_path / "out" / "net.h").read_text()
    assert "to[k] = NET_INPUT_FROM_PIXEL(blue);" in header


def weights(patch: pytest.MonkeyPatch) -> None:
    right = boundary.normalising_arrays

    def wrong(*args: Any) -> Any:
        w, b, m, s = right(*args)
        return w - 1, b, m, s

    patch.setattr(boundary, "normalising_arrays", wrong)


def biases(patch: pytest.MonkeyPatch) -> None:
    right = boundary.normalising_arrays

    def wrong(*args: Any) -> Any:
        w, b, m, s = right(*args)
        return w, b + np.array([0, 0, 90], np.int32), m, s

    patch.setattr(boundary, "normalising_arrays", wrong)


def turned(patch: pytest.MonkeyPatch) -> None:
    right = boundary.normalising_arrays
    patch.setattr(boundary, "normalising_arrays", lambda x, scale, pairs: right(x, scale, pairs[::-1]))


def port(patch: pytest.MonkeyPatch) -> None:
    right = boundary._pixel_port
    patch.setattr(boundary, "_pixel_port", lambda name, pairs, axis, note: right(name, pairs[::-1], axis, note))


@pytest.mark.parametrize("plant", [weights, biases, turned, port])
@pytest.mark.parametrize("layout", ["onnx", "nhwc"])
def test_a_wrong_conversion_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], layout: Any, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(VerificationError):
        compiled(model, "uint8", input_layout=layout)


def test_a_right_one_is_looked_at(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    right = witness.normalised

    def counted(*args: Any) -> Any:
        found = right(*args)
        looked.append(found is not None)
        return found

    monkeypatch.setattr("tinyc.compiler.witness.boundary.normalised", counted)
    compiled(model, "uint8")
    assert looked == [True]


def test_a_model_that_came_quantised(model: Path, tmp_path: Path) -> None:
    """Its pixels are what `normalise` says; the model in onnxruntime gives nearly the same."""
    np.savez(tmp_path / "samples.npz", image=images())
    how = tinyc.QuantiseOptions(tmp_path / "samples.npz", normalise=IMAGENET)
    tinyc.quantize(model, tmp_path / "q.onnx", how)
    given = np.random.default_rng(9).integers(0, 256, (12, 3, 8, 6), dtype=np.uint8)
    integers = tinyc.compile(tmp_path / "q.onnx", input_type="int8", verify=False)
    pixels = tinyc.compile(tmp_path / "q.onnx", input_type="uint8", normalise=IMAGENET)
    wanted = integers(IMAGENET.of(given, 1))["probabilities"]
    np.testing.assert_array_equal(pixels(given)["probabilities"], wanted)
    found = pixels.evaluate({"image": given})
    assert found.outputs[0].sqnr > 40
    assert found.agreement == 1.0


def test_what_sees_no_channels_says_what_to_do(tmp_path: Path) -> None:
    g = Graph("flat", (1, 3, 4, 4))
    g.add("Flatten", "flat")
    g.add("Gemm", "dense", g.weight("w", g.random(5, 48)), transB=1)
    np.savez(tmp_path / "samples.npz", image=images()[:, :, :4, :4])
    how = tinyc.QuantiseOptions(tmp_path / "samples.npz", normalise=IMAGENET, input_type="uint8")
    with pytest.raises(TinycError, match=r"sees no channels; leave the input type at int8"):
        tinyc.compile(g.model((1, 5)), quantise=how)
    taken = dataclasses.replace(how, input_type="auto")
    files = tinyc.compile(g.model((1, 5)), quantise=taken, verify=False).source.files
    assert any("_FROM_PIXEL_2(pixel)" in text for text in files.values())
