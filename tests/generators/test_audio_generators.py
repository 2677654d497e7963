from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_source import RATE, make_take

from cmdfd.clip import REAL, Labels, Segment
from cmdfd.errors import MediaError
from generators.audio.desync import direction
from generators.audio.dsp import (
    envelope_lag,
    loud_span,
    loudest_start,
    merge_bands,
    resample,
    rms,
    speech_level,
    splice,
)
from generators.audio.revoice import anchors
from generators.audio.stretch import HOP, noise_like, warp_time
from generators.generator import Job, Outcome, Phone, Take
from generators.registry import make_generator, resolve_params

NAMES = ["audio/swap", "audio/desync"]


def forge(
    name: str, take: Take, donor: Take | None = None, start: float = 0.2, seed: int = 0, **params: Any
) -> Outcome:
    rng = np.random.default_rng(seed)
    return make_generator(name).generate(Job(take, donor, start, 1.0, resolve_params(name, params), rng))


def lag(one: np.ndarray, other: np.ndarray, most: int = 8000) -> int:
    """Samples by which `other` comes after `one`, by cross-correlation."""
    size = 1 << (len(one) + len(other)).bit_length()
    spectrum = np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size))
    found = np.fft.irfft(spectrum)
    found = np.concatenate([found[-most:], found[: most + 1]])
    return int(np.argmax(found)) - most


def noisy(name: str, seed: int) -> Take:
    """A take whose sound fits itself at one lag only, which tones do not."""
    base = make_take(name)
    noise = np.random.default_rng(seed).standard_normal(len(base.audio)) * (0.02 + np.abs(base.audio))
    return Take(base.frames, base.fps, (0.5 * noise).astype(np.float32), RATE, base.track)


@pytest.fixture(scope="module")
def take() -> Take:
    return noisy("one", 1)


@pytest.fixture(scope="module")
def donor() -> Take:
    return noisy("two", 2)


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_stays_and_lengths_too(name: str, take: Take, donor: Take) -> None:
    made = forge(name, take, donor)
    assert made.take.frames is take.frames  # so that the encoded picture can be shared
    assert made.take.audio.shape == take.audio.shape and made.take.audio.dtype == np.float32
    assert made.masks is None and np.abs(made.take.audio).max() <= 1
    again = forge(name, take, donor)
    assert np.array_equal(made.take.audio, again.take.audio) and made.segments == again.segments


def test_a_swap_is_the_donors_sound_at_the_old_level(take: Take, donor: Take) -> None:
    made = forge("audio/swap", take, donor)
    assert np.corrcoef(made.take.audio, donor.audio)[0, 1] > 0.999
    assert speech_level(made.take.audio, RATE) == pytest.approx(speech_level(take.audio, RATE), rel=1e-3)
    assert made.labels == Labels(1, 0, 0, 1, None)  # whether it is the same person is the build's to say
    assert made.segments == (Segment(0.0, take.duration, made.segments[0].modality),)


def test_a_donor_at_another_rate_stays_in_step(take: Take, donor: Take) -> None:
    other = Take(donor.frames, donor.fps, resample(donor.audio, RATE, 24000), 24000, donor.track)
    made = forge("audio/swap", take, other)
    n = len(made.take.audio) - 200
    assert abs(lag(donor.audio[:n], made.take.audio[:n])) <= 1


@pytest.mark.parametrize("seed", range(8))
def test_a_partial_swap_changes_its_segment_only(take: Take, donor: Take, seed: int) -> None:
    made = forge("audio/swap", take, donor, seed=seed, span=[0.2, 0.4])
    (segment,) = made.segments
    start, end = round(segment.start * RATE), round(segment.end * RATE)
    assert 0.2 * RATE - 1 <= end - start <= 0.4 * RATE + 1
    assert segment.start >= 0.2 + 0.2 - 1e-3 and segment.end <= 1.2 - 0.2 + 1e-3  # off the clip's ends
    outside = np.r_[0:start, end : len(take.audio)]
    assert np.array_equal(made.take.audio[outside], take.audio[outside])
    fade = round(0.015 * RATE)
    inside = made.take.audio[start + fade : end - fade]
    offset = -lag(donor.audio, inside, most=len(donor.audio))
    assert np.corrcoef(inside, donor.audio[offset : offset + len(inside)])[0, 1] > 0.999  # a piece of the donor
    assert made.labels.audio_label == 1


def test_what_a_swap_refuses(take: Take, donor: Take) -> None:
    short = Take(donor.frames, donor.fps, donor.audio[: RATE // 2], RATE)
    silent = Take(donor.frames, donor.fps, np.zeros_like(donor.audio), RATE)
    for other, params, code in (
        (None, {}, "unsupported"),
        (short, {}, "too_short"),
        (silent, {}, "unsupported"),
        (donor, {"span": [0.9, 1.0]}, "unsupported"),
        (donor, {"span": [0.4, 0.2]}, "unsupported"),
    ):
        with pytest.raises(MediaError) as caught:
            forge("audio/swap", take, other, **params)  # type: ignore[arg-type]
        assert caught.value.code == code


@given(st.integers(20, 400), st.integers(1, 400), st.integers(0, 60), st.integers(0, 9))
def test_splices_keep_power_and_surroundings(n: int, m: int, fade: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = min(m, n)
    into, start = rng.standard_normal(n).astype(np.float32), int(rng.integers(0, n - m + 1))
    out = splice(into, np.zeros(m, np.float32), start, fade)
    assert np.array_equal(np.delete(out, np.s_[start : start + m]), np.delete(into, np.s_[start : start + m]))
    weight_old = out[start : start + m] / into[start : start + m]
    weight_new = splice(np.zeros(n, np.float32), np.ones(m, np.float32), start, fade)[start : start + m]
    np.testing.assert_allclose(weight_old**2 + weight_new**2, 1, atol=1e-4)


def test_the_first_loud_place_is_taken() -> None:
    samples = np.r_[np.zeros(100), 0.1 * np.ones(100), np.ones(100)].astype(np.float32)
    assert loudest_start(samples, 50, [0, 120, 220], enough=0.5) == 220
    assert loudest_start(samples, 50, [0, 220, 240], enough=0.5) == 220
    assert loudest_start(samples, 50, [0, 120], enough=0.5) == 120  # none is: the loudest
    assert rms(np.zeros(0, np.float32)) == 0


@pytest.mark.parametrize("grade", [80, 160])
@pytest.mark.parametrize("frame", range(4))
def test_desync_moves_the_sound_by_its_grade(take: Take, grade: int, frame: int) -> None:
    start = frame / 25
    made = forge("audio/desync", take, start=start, milliseconds=[grade])
    window = slice(round(start * RATE), round((start + 1) * RATE))
    moved = lag(take.audio[window], made.take.audio[window])
    assert abs(moved) == grade * RATE // 1000
    assert made.variant == f"{grade} ms" and made.labels == Labels(1, 0, 0, 1, 0)
    assert np.abs(made.take.audio[window]).min() >= 0 and rms(made.take.audio[window][-400:]) > 0  # nothing padded


@pytest.mark.parametrize("grade", [80, 160, 320])
def test_shifts_do_not_change_where_the_sound_begins(grade: int) -> None:
    starts = [frame / 25 for frame in range(16)]
    moved = [round(start + direction(start, grade, 3.0, 3.8) * grade / 1000, 6) for start in starts]
    assert sorted(moved) == [round(start, 6) for start in starts]  # a permutation: the same distribution
    assert Counter(direction(start, grade, 3.0, 3.8) for start in starts) == {1: 8, -1: 8}


def test_desync_without_room_is_refused(take: Take) -> None:
    with pytest.raises(MediaError, match="no 320 ms of sound around"):
        direction(0.0, 320, 3.0, 3.2)
    assert direction(0.0, 320, 3.0, 3.4) == 1 and direction(0.4, 320, 3.0, 3.4) == -1
    with pytest.raises(MediaError, match="positive milliseconds"):
        forge("audio/desync", take, milliseconds=[0])


def test_a_time_warp_along_the_identity_changes_nothing() -> None:
    sound = make_take("three").audio
    places = np.arange(len(sound) // HOP + 1) * float(HOP)
    out = warp_time(sound, places, len(sound))
    inner = slice(600, -600)
    assert rms(out[inner] - sound[inner]) < 0.02 * rms(sound)


@pytest.mark.parametrize("rate", [0.7, 1.0, 1.4])
def test_a_time_warp_keeps_the_pitch(rate: float) -> None:
    t = np.arange(RATE * 2) / RATE
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    n = round(len(tone) / rate) - 2000
    out = warp_time(tone, np.arange(n // HOP + 1) * HOP * rate, n)[2000:-2000]
    peak = np.argmax(np.abs(np.fft.rfft(out * np.hanning(len(out)), 1 << 18))) * RATE / (1 << 18)
    assert peak == pytest.approx(440, abs=1.0)
    assert rms(out) == pytest.approx(rms(tone), rel=0.1)


def test_a_time_warp_puts_bursts_where_the_map_says() -> None:
    sound = np.zeros(RATE, np.float32)
    for at in (3200, 8000, 12000):
        sound[at : at + 400] = np.random.default_rng(at).standard_normal(400)
    knots_in, knots_out = [0, 3200, 8000, 12000, 16000], [0, 4800, 8800, 11200, 16000]
    places = np.interp(np.arange(RATE // HOP + 1) * HOP, knots_out, knots_in)
    out = warp_time(sound, places, RATE)
    level = np.sqrt(np.convolve(out**2, np.ones(80) / 80, "same"))
    for at in (4800, 8800, 11200):
        onset = at - 800 + int(np.argmax(level[at - 800 : at + 800] > 0.3 * level.max()))
        assert abs(onset - at) < 320  # within 20 ms, less than a frame of the picture


def test_places_outside_the_input_are_silent() -> None:
    sound = make_take("three").audio[:8000]
    out = warp_time(sound, np.arange(126) * float(HOP) - 8000, 16000)
    assert rms(out[:7000]) == 0 and rms(out[9000:15000]) > 0.5 * rms(sound)


def test_noise_has_the_level_and_colour_of_the_pauses() -> None:
    rng = np.random.default_rng(0)
    hiss = np.diff(rng.standard_normal(RATE * 4 + 1)).astype(np.float32) * 0.01  # more high than low
    speech = hiss.copy()
    for k in range(8):
        speech[k * 8000 : k * 8000 + 5000] += 0.3 * np.sin(np.arange(5000) * 0.1).astype(np.float32)
    made = noise_like(speech, np.random.default_rng(1))
    assert rms(made) == pytest.approx(rms(hiss), rel=0.3)
    power = [np.abs(np.fft.rfft(signal)) ** 2 for signal in (made, hiss)]
    share = [float(p[len(p) // 2 :].sum() / p.sum()) for p in power]
    assert share[0] == pytest.approx(share[1], abs=0.05)


def phones(*labels: str, pace: float = 0.1, start: float = 0.0) -> list[Phone]:
    return [Phone(label, start + k * pace, start + (k + 1) * pace) for k, label in enumerate(labels)]


def test_sounds_are_matched_in_order() -> None:
    old = phones("h", "ə", "l", "oʊ", "", "b", "aɪ", start=0.3)
    new = phones("h", "ə", "l", "l", "oʊ", "", "b", "aɪ", pace=0.12)
    pairs = anchors(old, new)
    assert (np.diff(pairs, axis=0) > 0).all()
    assert pairs[0] == pytest.approx([0.3, 0.0]) and pairs[-1] == pytest.approx([1.0, 0.96])
    with pytest.raises(MediaError, match="only 2 of 7 sounds"):
        anchors(old, phones("h", "x", "y", "z", "aɪ"))


def test_a_take_without_words_cannot_be_revoiced(take: Take) -> None:
    with pytest.raises(MediaError, match="words of the take are not known"):
        forge("audio/revoice", take)


def sham(name: str, take: Take, donor: Take | None = None, seed: int = 0, **params: Any) -> Outcome:
    rng = np.random.default_rng(seed)
    return make_generator(name).sham(Job(take, donor, 0.2, 1.0, resolve_params(name, params), rng))


@pytest.mark.parametrize("name", NAMES)
def test_the_sham_of_what_only_rearranges_is_the_take(name: str, take: Take, donor: Take) -> None:
    made = sham(name, take, donor)
    assert made.take is take and made.labels == REAL and not made.segments and made.masks is None


@pytest.mark.parametrize("seed", range(6))
def test_a_null_splice_stands_where_the_fake_would(take: Take, donor: Take, seed: int) -> None:
    """The same draws, and no trace in the loudness: what meets itself is not raised in the fades."""
    fake = forge("audio/swap", take, donor, seed=seed, span=[0.2, 0.4])
    places: list[tuple[int, int, bool]] = []

    def watched(into: np.ndarray, piece: np.ndarray, start: int, fade: int, *, alike: bool = False) -> np.ndarray:
        places.append((start, len(piece), alike))
        assert np.allclose(piece, into[start : start + len(piece)], atol=1e-6)  # the take's own sound
        return splice(into, piece, start, fade, alike=alike)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("generators.audio.swap.splice", watched)
        made = sham("audio/swap", take, seed=seed, span=[0.2, 0.4])
    start, n, alike = places[0]
    assert (start / RATE, (start + n) / RATE) == (fake.segments[0].start, fake.segments[0].end) and alike
    assert made.labels == REAL and not made.segments and made.take is not take
    np.testing.assert_allclose(made.take.audio, take.audio, atol=2e-6)


@given(st.integers(2, 200), st.integers(1, 100), st.integers(0, 40), st.integers(0, 9))
def test_alike_splices_are_the_identity(n: int, m: int, fade: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = min(m, n)
    into, start = rng.standard_normal(n).astype(np.float32), int(rng.integers(0, n - m + 1))
    np.testing.assert_allclose(splice(into, into[start : start + m], start, fade, alike=True), into, atol=1e-6)


def test_bands_are_merged_at_their_edge() -> None:
    t = np.arange(RATE) / RATE
    tones = {hertz: np.sin(2 * np.pi * hertz * t).astype(np.float32) for hertz in (500, 3000, 6500)}
    low, high = tones[500] + tones[6500], 2 * tones[500] + tones[3000] + 2 * tones[6500]
    out = merge_bands(low, high, 5000.0, RATE)[400:-400]
    expected = (tones[500] + 2 * tones[6500])[400:-400]
    assert rms(out - expected) < 0.01
    same = merge_bands(high, high, 5000.0, RATE)
    assert np.array_equal(same, high)


@given(st.integers(-700, 700), st.integers(0, 20))
def test_a_known_lag_of_the_loudness_is_found(shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 2 * RATE
    loud = np.interp(np.arange(n + 2000), np.arange(0, n + 4000, 1600), rng.uniform(0, 1, (n + 4000) // 1600 + 1))
    noise = rng.standard_normal((2, n + 2000))  # another waveform, the same loudness
    one, other = (loud * noise[0])[1000 : 1000 + n], (loud * noise[1])[1000 - shift : 1000 - shift + n]
    found = envelope_lag(one.astype(np.float32), other.astype(np.float32), RATE, 0.06)
    assert abs(found - shift) <= 48  # 3 ms: the two noises differ
    moved = (loud * noise[0])[1000 - shift : 1000 - shift + n]
    assert abs(envelope_lag(one.astype(np.float32), moved.astype(np.float32), RATE, 0.06) - shift) <= 1


def test_a_steady_sound_has_no_lag() -> None:
    steady = np.ones(4000, np.float32)
    assert envelope_lag(np.zeros(4000, np.float32), steady, RATE, 0.05) == 0
    assert envelope_lag(np.zeros(0, np.float32), steady, RATE, 0.05) == 0


def test_where_it_is_loud() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[4000:8000] = 0.5
    assert loud_span(sound, RATE) == pytest.approx((0.24, 0.5), abs=0.021)
    assert loud_span(np.zeros(RATE, np.float32), RATE) == (0.0, 0.0) == loud_span(sound[:10], RATE)
