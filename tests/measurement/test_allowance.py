"""CPUs and memory that a process may use: affinity and cgroups of both versions."""

import itertools
import os
from types import SimpleNamespace

import pytest

from gfr.measurement import allowance
from gfr.pipeline import doctor

MB = 10**6


class Machine:
    """32 CPUs, 25 GB of memory, and cgroups as files below a folder."""

    def __init__(self, folder, monkeypatch):
        """No limits yet, and a process that may run everywhere."""
        self.folder, self.monkeypatch = folder, monkeypatch
        self.clock_s = self.own_s = 0.0
        self.ticks = dict.fromkeys(range(32), 0)
        memory = SimpleNamespace(total=25_300 * MB, available=20_900 * MB)
        monkeypatch.setattr(allowance, "PROC", folder / "proc")
        monkeypatch.setattr(allowance.psutil, "virtual_memory", lambda: memory)
        monkeypatch.setattr(allowance.time, "monotonic", lambda: self.clock_s)
        monkeypatch.setattr(allowance.time, "process_time", lambda: self.own_s)
        monkeypatch.setattr(os, "sysconf", lambda name: 100)
        self.pin(range(32))

    def pin(self, cpus):
        """Let the process run on these CPUs only."""
        self.monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(cpus))

    def write(self, name, text):
        """Write a file of /proc or of a cgroup."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, wall_s, own_s, busy_s):
        """Let time pass; `busy_s`: seconds of all processes on a CPU, by its number."""
        self.clock_s += wall_s
        self.own_s += own_s
        for number, seconds in busy_s.items():
            self.ticks[number] += round(100 * seconds)
        rows = [f"cpu{n} {ticks} 0 0 9 9 0 0 0 0 0" for n, ticks in self.ticks.items()]
        self.write("proc/stat", "\n".join(["cpu 9 9 9 9", *rows, "intr 9"]))

    def in_version_2(self, **files):
        """In a container: its cgroup is the root that it sees."""
        self.write("proc/self/cgroup", "0::/\n")
        mount = f"35 31 0:32 / {self.folder}/cg rw - cgroup2 cgroup2 rw,nsdelegate\n"
        self.write("proc/self/mountinfo", mount)
        for name, text in files.items():
            self.write(f"cg/{name.replace('__', '.')}", text)

    def in_version_1(self, **files):
        """In a container that sees the host's names of cgroups, whose part is mounted."""
        names = ("cpu,cpuacct", "memory")
        lines = [f"{row}:{name}:/docker/1\n" for row, name in enumerate(names, 2)]
        self.write("proc/self/cgroup", "".join(["1:name=systemd:/docker/1\n", *lines, "0::/\n"]))
        mounts = [
            f"3{row} 31 0:3 /docker/1 {self.folder}/{name} rw - cgroup cgroup rw,{name}\n"
            for row, name in enumerate(names)
        ]
        self.write("proc/self/mountinfo", "".join(mounts))
        for name, text in files.items():
            folder = "memory" if name.startswith("memory") else "cpu,cpuacct"
            self.write(f"{folder}/{name.replace('__', '.')}", text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A made-up machine in which 0 seconds have passed."""
    made = Machine(tmp_path, monkeypatch)
    made.run(0, 0, {})
    return made


def test_a_shared_core_is_background_load_for_a_pinned_process(machine):
    """One of 32 cores, half of which another process takes; load of the other cores is none."""
    machine.pin([5])
    share = allowance.meter_others()
    machine.run(wall_s=10, own_s=5, busy_s={5: 10})
    assert 0.5 == share()
    share = allowance.meter_others()
    machine.run(wall_s=10, own_s=9.5, busy_s={5: 9.5} | dict.fromkeys(range(6, 32), 10))
    assert 0.0 == share()


def test_without_limits_background_load_is_a_share_of_the_machine(machine):
    """One busy neighbour on 32 cores."""
    share = allowance.meter_others()
    machine.run(wall_s=10, own_s=10, busy_s={0: 10, 1: 10})
    assert 1 / 32 == share()
    assert (32, 32) == (allowance.num_cpus(), allowance.num_threads())


def test_others_in_a_cgroup_are_background_load_by_their_share_of_the_quota(machine):
    """Half of 2 CPUs in version 2, of which the machine has 32; the same in version 1."""
    machine.in_version_2(cpu__max="200000 100000", cpu__stat="usage_usec 5000000\nuser_usec 1")
    share = allowance.meter_others()
    machine.run(wall_s=10, own_s=10, busy_s={0: 10, 1: 10})
    machine.in_version_2(cpu__stat="usage_usec 25000000")
    assert (0.5, 2) == (share(), allowance.num_cpus())
    machine.in_version_1(
        cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000", cpuacct__usage="5000000000"
    )
    share = allowance.meter_others()
    machine.run(wall_s=10, own_s=10, busy_s={0: 10, 1: 10})
    machine.in_version_1(cpuacct__usage="25000000000")
    assert (0.5, 2) == (share(), allowance.num_cpus())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 32),
        ({"cpu__max": "max 100000"}, 32),
        ({"cpu__max": "50000 100000"}, 0.5),
        ({"cpu__max": "6400000 100000"}, 32),
    ],
)
def test_the_quota_of_version_2_is_a_number_of_cpus(machine, files, expected):
    """At most as many as the machine has, and at least one thread."""
    machine.in_version_2(**files)
    assert (expected, max(1, round(expected))) == (allowance.num_cpus(), allowance.num_threads())


def test_no_quota_is_minus_one_in_version_1(machine):
    """The usual state of a container without a limit."""
    machine.in_version_1(cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert 32 == allowance.num_cpus()


def test_memory_is_that_of_the_cgroup(machine):
    """700 MB with 300 in use, 100 of them file cache that Linux frees; both versions."""
    assert allowance.Memory(25_300 * MB, 20_900 * MB, False) == allowance.memory()
    limited = allowance.Memory(700 * MB, 500 * MB, True)
    machine.in_version_2(
        memory__max=f"{700 * MB}", memory__current=f"{300 * MB}",
        memory__stat=f"anon 5\ninactive_file {100 * MB}",
    )  # fmt: skip
    assert limited == allowance.memory()
    machine.in_version_2(memory__max="max")
    assert not allowance.memory().is_limited
    machine.in_version_1(
        memory__limit_in_bytes=f"{700 * MB}", memory__usage_in_bytes=f"{300 * MB}",
        memory__stat=f"inactive_file 5\ntotal_inactive_file {100 * MB}",
    )  # fmt: skip
    assert limited == allowance.memory()
    machine.in_version_1(memory__limit_in_bytes="9223372036854771712")
    assert not allowance.memory().is_limited


def test_the_narrowest_of_nested_cgroups_counts(machine):
    """A batch job in a slice: the slice has 700 MB, the job states more."""
    machine.in_version_2(memory__max="max")
    machine.write("proc/self/cgroup", "0::/slice/job\n")
    for name, mb in (("slice", 700), ("slice/job", 900)):
        machine.write(f"cg/{name}/memory.max", f"{mb * MB}")
    assert 700 * MB == allowance.memory().total_bytes


def test_the_doctor_reports_what_a_container_may_use(machine):
    """0.5 of 0.7 GB and half a CPU, of 25.3 GB and 32."""
    machine.in_version_2(
        memory__max=f"{700 * MB}", memory__current=f"{200 * MB}", cpu__max="50000 100000"
    )
    checks = {row.subject: row for row in itertools.islice(doctor._hardware(), 3)}
    memory = "0.5 of 0.7 GB available; a full run needs up to 7 GB (limit of its cgroup)"
    assert ("note", memory) == (checks["memory"].status, checks["memory"].finding)
    assert checks["CPU"].finding.endswith("; gfr may use 0.5 CPUs (CPU affinity or cgroup)")


def test_odd_mounts_are_read(machine):
    """One without a source, one with a space in its name, and one of another part of the groups."""
    machine.in_version_2(memory__max=f"{700 * MB}")
    (machine.folder / "cg").rename(machine.folder / "c g")
    machine.write("proc/self/cgroup", "0::/docker/1\n")
    lines = (
        "21 20 0:19 / /x rw - tmpfs  rw,size=1",
        "",
        "35 31 0:32 /docker/2 /elsewhere rw - cgroup2 cgroup2 rw",
        rf"36 31 0:32 /docker/1 {machine.folder}/c\040g rw - cgroup2 cgroup2 rw",
    )
    machine.write("proc/self/mountinfo", "\n".join(lines))
    assert 700 * MB == allowance.memory().total_bytes


def test_the_point_from_which_a_cgroup_is_slowed_down_is_a_limit(machine):
    """As systemd's MemoryHigh sets it, below a higher maximum."""
    machine.in_version_2(memory__max=f"{900 * MB}", memory__high=f"{700 * MB}")
    assert 700 * MB == allowance.memory().total_bytes
