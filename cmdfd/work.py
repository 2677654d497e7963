"""Long work that can be killed at any moment and taken up again: plans of items, and what runs them.

An item is done when its record file is there with the item's hash. A record appears by an atomic rename after
everything else that the item wrote, so a killed run loses at most the items in flight, and neither the number
of workers nor the sharding may change what comes out. Another engine (datatrove's, a batch system's array)
needs no more than `WorkPlan.shard` and `run_item`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field, replace
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from cmdfd.cache import write_atomic
from cmdfd.clip import content_id
from cmdfd.errors import CmdfdError, MediaError, nearest
from cmdfd.registry import load_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Self

SCHEMA_VERSION = 1
EXECUTORS = ("serial", "local")

#: Status of an item that did what it should; every other status is a code of `cmdfd.errors.MEDIA_CODES`.
OK = "ok"
#: Statuses that may go away by themselves: such items leave no record and are tried again by the next run.
TRANSIENT = frozenset({"timeout", "out_of_memory", "crashed", "internal"})

#: Read by numeric libraries when they are imported; each worker is one of several on the machine.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
#: Items handed to the pool ahead of the workers, so that a plan of a million items does not fill the queue.
_AHEAD = 4
_ORPHAN_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One deterministic piece of work.

    Args:
        key: Unique in its plan; letters, digits, "-", "_" and "." only, since it names the record file.
        payload: JSON-able argument of the plan's function.
        hash: Content address of everything that decides the result.
    """

    key: str
    payload: Mapping[str, Any]
    hash: str

    def __post_init__(self) -> None:
        if not self.key or self.key.startswith(".") or not all(c.isalnum() or c in "-_." for c in self.key):
            raise ValueError(f"work item key {self.key!r} cannot name a file")

    @classmethod
    def of(cls, key: str, payload: Mapping[str, Any], *salt: Any) -> WorkItem:
        """Item whose hash covers the payload and `salt` (JSON-able: recipe hash, code version ...)."""
        return cls(key, payload, content_id(key, dict(payload), salt, length=32))


@dataclass(frozen=True, slots=True)
class WorkPlan:
    """A frozen list of items for one function.

    Args:
        function: "module:function"; called as `function(payload, context)` and returning something JSON-able.
        items: What to do, keys unique.
        context: JSON-able facts that do not change results, e.g. where the folders are on this machine.
        plan_id: Hash of function and items; set by itself, and kept by shards.
    """

    function: str
    items: tuple[WorkItem, ...]
    context: Mapping[str, Any] = field(default_factory=dict)
    plan_id: str = ""

    def __post_init__(self) -> None:
        if len({item.key for item in self.items}) != len(self.items):
            raise ValueError("work item keys are not unique")
        if not self.plan_id:
            found = content_id(self.function, [[item.key, item.hash] for item in self.items], length=32)
            object.__setattr__(self, "plan_id", found)

    def shard(self, rank: int, world_size: int) -> WorkPlan:
        """Every `world_size`-th item from `rank` on; the shards of all ranks together are the plan.

        Raises:
            CmdfdError: Unless 0 <= rank < world_size.
        """
        if not 0 <= rank < world_size:
            raise CmdfdError(f"rank must be in 0 ... world size - 1, got rank {rank} of {world_size}")
        return replace(self, items=self.items[rank::world_size])


@dataclass(frozen=True, slots=True)
class WorkResult:
    """How an item ended.

    Args:
        key: The item's key.
        status: "ok", or a code of `cmdfd.errors.MEDIA_CODES`.
        value: What the function returned, where the status is "ok".
        detail: The reason, where it is not.
        seconds: Wall time that it took now; 0 for a reused record.
        reused: Whether it was done by an earlier run.
        cpu_seconds: Processor time that it took now.
        peak_bytes: Largest memory that its process has had so far; 0 where the system does not tell.
    """

    key: str
    status: str
    value: Any
    detail: str
    seconds: float
    reused: bool = False
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def record_path(records: Path, key: str) -> Path:
    """File of an item's record."""
    return records / f"{key}.json"


def read_record(records: Path, item: WorkItem) -> WorkResult | None:
    """Result of a done item; None if it is not done, has another hash, or its record is damaged."""
    try:
        data = json.loads(record_path(records, item.key).read_text("utf-8"))
        if data["schema_version"] != SCHEMA_VERSION or data["hash"] != item.hash:
            return None
        return WorkResult(item.key, data["status"], data["value"], data["detail"], 0.0, reused=True)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None


def run_item(function: str, item: WorkItem, context: Mapping[str, Any], records: Path) -> WorkResult:
    """Do one item in this process and write its record, unless it ended with a transient status.

    Args:
        function: "module:function".
        item: The item.
        context: Second argument of the function.
        records: Folder of the records.

    Returns:
        Its result; exceptions of the function become its status and detail.
    """
    began, cpu = time.perf_counter(), time.process_time()
    status, value, detail = OK, None, ""
    try:
        # through JSON, so that this run and a later one, which reads the record, see the same
        value = json.loads(json.dumps(load_object(function)(item.payload, context), allow_nan=False))
    except MediaError as error:
        status, detail = error.code, error.detail
    except MemoryError as error:
        status, detail = "out_of_memory", str(error)
    except Exception as error:
        status = "out_of_memory" if _is_allocation_failure(error) else "internal"
        detail = "".join(traceback.format_exception(error))
    if status not in TRANSIENT:
        record = {"schema_version": SCHEMA_VERSION, "hash": item.hash, "status": status}
        text = json.dumps({**record, "detail": detail, "value": value}, sort_keys=True)
        write_atomic(record_path(records, item.key), text.encode())
    return WorkResult(
        item.key,
        status,
        value,
        detail,
        time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu,
        peak_bytes=_peak_bytes(),
    )


def _peak_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _is_allocation_failure(error: Exception) -> bool:
    """OpenCV and PyAV report a failed allocation by errors of their own."""
    text = str(error)
    return "Insufficient memory" in text or "Failed to allocate" in text or "Cannot allocate memory" in text


class Executor(Protocol):
    """Runs plans. Close it, or use it as a context manager."""

    def run(self, plan: WorkPlan, records: Path) -> Iterator[WorkResult]:
        """Yield the result of every item: first those done before, then the others as they finish."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_executor(
    name: str, workers: int = 2, timeout: float | None = None, memory_bytes: int | None = None
) -> Executor:
    """Make an executor by name.

    Args:
        name: "serial" (this process, for debugging, without limits) or "local" (worker processes).
        workers: Number of worker processes.
        timeout: Seconds that one item may take before its worker is killed, or None.
        memory_bytes: Address space that a worker may map (RLIMIT_AS; POSIX only), or None.

    Raises:
        CmdfdError: For an unknown name or limits that are not positive.
    """
    if any(value is not None and value <= 0 for value in (workers, timeout, memory_bytes)):
        raise CmdfdError(f"limits must be positive: {workers} workers, {timeout} s, {memory_bytes} bytes")
    if name == "serial":
        return SerialExecutor()
    if name == "local":
        return LocalExecutor(workers, timeout, memory_bytes)
    raise CmdfdError(f"unknown executor {name!r}: {nearest(name, EXECUTORS)}")


def _pending(plan: WorkPlan, records: Path) -> tuple[list[WorkResult], list[WorkItem]]:
    records.mkdir(parents=True, exist_ok=True)
    found = [(item, read_record(records, item)) for item in plan.items]
    return [done for _, done in found if done], [item for item, done in found if not done]


class SerialExecutor:
    """Runs items one after the other in this process."""

    def run(self, plan: WorkPlan, records: Path) -> Iterator[WorkResult]:
        """See `Executor.run`."""
        done, pending = _pending(plan, records)
        yield from done
        for item in pending:
            yield run_item(plan.function, item, plan.context, records)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class LocalExecutor:
    """Runs items in worker processes, which live until the executor is closed.

    Args:
        workers: Number of processes.
        timeout: Seconds for one item; a worker that takes longer is killed and the item ends as "timeout".
        memory_bytes: Address space of a worker.
    """

    def __init__(self, workers: int, timeout: float | None = None, memory_bytes: int | None = None) -> None:
        from pebble import ProcessPool

        self._timeout = timeout
        self._ahead = _AHEAD * workers
        self._pool: Any = ProcessPool(
            max_workers=workers,
            context=_SpawnContext(),
            initializer=_start_worker,
            initargs=(os.getpid(), memory_bytes),
        )

    def run(self, plan: WorkPlan, records: Path) -> Iterator[WorkResult]:
        """See `Executor.run`."""
        done, pending = _pending(plan, records)
        yield from done
        queue = iter(pending)
        flying: dict[Future[WorkResult], WorkItem] = {}
        while True:
            for item in queue:
                arguments = (plan.function, item, dict(plan.context), records)
                flying[self._pool.schedule(run_item, args=arguments, timeout=self._timeout)] = item
                if len(flying) >= self._ahead:
                    break
            if not flying:
                return
            landed, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in landed:
                yield self._landed(flying.pop(future), future)

    def _landed(self, item: WorkItem, future: Future[WorkResult]) -> WorkResult:
        from pebble import ProcessExpired

        try:
            return future.result()
        except FutureTimeoutError:
            seconds = self._timeout or 0.0
            return WorkResult(item.key, "timeout", None, f"took longer than {seconds:g} s", seconds)
        except ProcessExpired as error:
            return WorkResult(item.key, "crashed", None, f"worker ended with code {error.exitcode}", 0.0)
        except CancelledError:
            return WorkResult(item.key, "crashed", None, "the pool was closed", 0.0)
        except MemoryError as error:  # while the worker pickled its answer
            return WorkResult(item.key, "out_of_memory", None, str(error), 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()


_main_lock = threading.Lock()


class _SpawnProcess(SpawnProcess):
    """A spawned process that does not import the caller's `__main__`.

    Workers find their function by name, so they never need it; importing it would respawn workers for ever
    where it comes from stdin, and run a script without a main guard again in every worker.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - the name that multiprocessing calls
        with _main_lock:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                sys.modules["__main__"] = main


class _SpawnContext(SpawnContext):
    Process = _SpawnProcess


def _start_worker(parent: int, memory_bytes: int | None) -> None:
    """Prepare a worker: one thread, its memory limit, and an end together with its parent."""
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"
    if memory_bytes is not None and sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard))
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    _one_thread()


def _one_thread() -> None:
    try:
        import cv2
    except ImportError:  # then nothing in this worker can use its threads
        return
    cv2.setNumThreads(1)


def _end_with_parent(parent: int) -> None:
    """A killed parent cannot stop its workers; without this they would go on beside its successor's."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN_POLL_SECONDS)
    os._exit(1)
