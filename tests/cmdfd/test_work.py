from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdfd.errors import CmdfdError
from cmdfd.work import WorkItem, WorkPlan, WorkResult, open_executor, read_record, record_path

HERE = Path(__file__).parent


def plan_of(n: int, function: str = "work_jobs:double", **context: object) -> WorkPlan:
    return WorkPlan(function, tuple(WorkItem.of(f"k{i}", {"n": i}) for i in range(n)), context)


def by_key(results: object) -> dict[str, WorkResult]:
    return {result.key: result for result in results}  # type: ignore[attr-defined]


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_results_are_recorded_and_reused(tmp_path: Path, executor: str) -> None:
    log = tmp_path / "log"
    plan = plan_of(5, log=str(log))
    with open_executor(executor, workers=2) as run:
        first = by_key(run.run(plan, tmp_path / "records"))
        again = by_key(run.run(plan, tmp_path / "records"))
    assert {key: result.value["n"] for key, result in first.items()} == {f"k{i}": 2 * i for i in range(5)}
    assert {key: result.value for key, result in again.items()} == {k: r.value for k, r in first.items()}
    assert all(result.reused for result in again.values()) and not any(r.reused for r in first.values())
    assert sorted(log.read_text().split()) == list("01234")  # each was done exactly once
    if executor == "local":
        assert os.getpid() not in {result.value["pid"] for result in first.values()}
        assert {result.value["threads"] for result in first.values()} == {"1"}


def test_changed_items_and_damaged_records_are_done_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    records = tmp_path / "records"
    plan = plan_of(4, log=str(log))
    with open_executor("serial") as run:
        list(run.run(plan, records))
        record_path(records, "k1").write_text('{"schema_version": 1, "ha')
        record_path(records, "k2").write_text("[]")
        items = (*plan.items[:3], WorkItem.of("k3", {"n": 30}))
        results = by_key(run.run(WorkPlan(plan.function, items, plan.context), records))
    assert sorted(log.read_text().split()[4:]) == ["1", "2", "30"]
    assert results["k3"].value["n"] == 60 and results["k0"].reused


@pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of POSIX")
def test_every_trouble_has_its_code_and_the_rest_goes_on(tmp_path: Path) -> None:
    troubles = ["hang", "die", "eat", "refuse", "boom", "not json", None, None, None]
    items = tuple(WorkItem.of(f"k{i}", {"n": i, "trouble": t, "file": "a.mp4"}) for i, t in enumerate(troubles))
    plan = WorkPlan("work_jobs:troubled", items)
    began = time.monotonic()
    with open_executor("local", workers=2, timeout=6.0, memory_bytes=3 << 30) as run:
        found = by_key(run.run(plan, tmp_path))
    assert time.monotonic() - began < 60
    codes = [found[f"k{i}"].status for i in range(len(troubles))]
    assert codes == ["timeout", "crashed", "out_of_memory", "no_face", "internal", "internal", "ok", "ok", "ok"]
    assert found["k3"].detail == "nobody is there"
    assert "ZeroDivisionError: by design" in found["k4"].detail
    # what may go away by itself is tried again by the next run, a refusal is not
    done = {item.key for item in items if read_record(tmp_path, item) is not None}
    assert done == {"k3", "k6", "k7", "k8"}


def test_a_worker_over_time_is_killed(tmp_path: Path) -> None:
    plan = WorkPlan("work_jobs:sleep_and_tell", (WorkItem.of("k", {"seconds": 120}),), {"folder": str(tmp_path)})
    with open_executor("local", workers=1, timeout=2.0) as run:
        assert [result.status for result in run.run(plan, tmp_path / "records")] == ["timeout"]
    (told,) = tmp_path.glob("pid-*")
    assert not _alive(int(told.name.removeprefix("pid-")))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


_SCRIPT = """
from pathlib import Path
from cmdfd.work import WorkItem, WorkPlan, open_executor
plan = WorkPlan("work_jobs:{function}", tuple(WorkItem.of(f"k{{i}}", {{"n": i, "seconds": {seconds}}})
                for i in range(3)), {{"folder": {folder!r}}})
with open_executor("local", workers=2) as run:
    print(sorted(result.value["n"] for result in run.run(plan, Path({folder!r}) / "records")))
"""


@pytest.mark.parametrize("way", ["stdin", "-c", "file without main guard"])
def test_workers_do_not_need_the_callers_main(tmp_path: Path, way: str) -> None:
    script = _SCRIPT.format(folder=str(tmp_path), function="double", seconds=0)
    path = tmp_path / "script.py"
    path.write_text(script)
    arguments = {"stdin": ["-"], "-c": ["-c", script], "file without main guard": [str(path)]}[way]
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        input=script if way == "stdin" else None,
        text=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0, 2, 4]"
    # a worker that is still starting when the pool closes is cut off, and may say so; it must not be respawned
    assert "bootstrapping" not in done.stderr and done.stderr.count("Traceback") <= 2


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = _SCRIPT.format(folder=str(tmp_path), function="sleep_and_tell", seconds=120)
    env = {**os.environ, "PYTHONPATH": str(HERE)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=env)
    deadline = time.monotonic() + 40
    while len(list(tmp_path.glob("pid-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    workers = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    assert len(workers) == 2
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_alive(pid) for pid in workers)


@given(n=st.integers(0, 40), world_size=st.integers(1, 7))
def test_shards_are_disjoint_and_complete(n: int, world_size: int) -> None:
    plan = plan_of(n)
    shards = [plan.shard(rank, world_size) for rank in range(world_size)]
    assert sorted(item.key for shard in shards for item in shard.items) == sorted(i.key for i in plan.items)
    assert {shard.plan_id for shard in shards} == {plan.plan_id}
    assert max(len(shard.items) for shard in shards) - min(len(shard.items) for shard in shards) <= 1


def test_identity_of_items_and_plans() -> None:
    one = WorkItem.of("k", {"a": 1, "b": [2]}, "salt")
    assert one == WorkItem.of("k", {"b": [2], "a": 1}, "salt")
    others = [WorkItem.of("j", {"a": 1, "b": [2]}, "salt"), WorkItem.of("k", {"a": 1, "b": [3]}, "salt")]
    others.append(WorkItem.of("k", {"a": 1, "b": [2]}, "pepper"))
    assert len({one.hash, *(other.hash for other in others)}) == 4
    assert plan_of(3).plan_id == plan_of(3, folder="/elsewhere").plan_id != plan_of(4).plan_id


@pytest.mark.parametrize("key", ["", "a/b", "..", ".hidden", "a b", "a\0"])
def test_keys_that_cannot_name_a_file_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cannot name a file"):
        WorkItem.of(key, {})


def test_wrong_plans_and_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="not unique"):
        WorkPlan("work_jobs:double", (WorkItem.of("k", {}), WorkItem.of("k", {"n": 1})))
    with pytest.raises(CmdfdError, match="rank 3 of 3"):
        plan_of(3).shard(3, 3)
    with pytest.raises(CmdfdError, match="did you mean 'local'"):
        open_executor("locale")
    with pytest.raises(CmdfdError, match="positive"):
        open_executor("local", workers=0)


def test_a_record_says_what_a_later_run_reads(tmp_path: Path) -> None:
    item = WorkItem.of("k", {"n": 3})
    with open_executor("serial") as run:
        (now,) = run.run(WorkPlan("work_jobs:double", (item,)), tmp_path)
    data = json.loads(record_path(tmp_path, "k").read_text())
    assert data["hash"] == item.hash and data["status"] == "ok"
    assert "seconds" not in data  # times live in the journal, so that records are the same at every run
    later = read_record(tmp_path, item)
    assert later is not None and later.value == now.value
