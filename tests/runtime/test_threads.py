"""Many Python threads, Python's lock, forks, and how many threads help."""

import threading
import time

import numpy as np
import pytest

from jaxkeops.runtime import native

DTYPES = (np.dtype("float32"), np.dtype("int64"))


@pytest.fixture
def four_threads():
    before = native.num_threads()
    native.set_num_threads(4)
    yield
    native.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_sixteen_threads_call_at_once(kernels, arrays, agree):
    cases = [(k, arrays(50 * n, 300)) for n in (1, 8) for k in kernels.values()]
    cases = [(k, args) for k, args in cases if k.dtype == "float32"]
    faults = []

    def work():
        try:
            for _ in range(20):
                for kernel, args in cases:
                    agree(kernel.call_buffers(args, np.empty, DTYPES), args)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_python_goes_on_while_a_kernel_runs(kernel, arrays):
    args = arrays(20_000, 20_000)  # some 0.2 s
    running = threading.Thread(target=kernel.call_buffers, args=(args, np.empty, DTYPES))
    steps = 0
    running.start()
    while running.is_alive():
        steps += 1
        time.sleep(0.001)
    assert steps > 20


def test_results_do_not_depend_on_the_number_of_threads(kernels, arrays):
    args = arrays(3000, 500)
    before, results = native.num_threads(), []
    for count in (1, 2, 7):
        native.set_num_threads(count)
        assert native.num_threads() == count
        results.append(kernels["float32", True].call_buffers(args, np.empty, DTYPES)[0])
    native.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("count", [0, -1, 4097])
def test_a_senseless_number_of_threads_is_refused(count):
    with pytest.raises(ValueError, match=f"expected 1 to 4096, got {count}"):
        native.set_num_threads(count)


def test_the_environment_sets_the_number_of_threads(in_new_process):
    show = "from jaxkeops.runtime import native; print(native.num_threads())"
    assert in_new_process(show, JAXKEOPS_NUM_THREADS="7") == "7\n"


@pytest.mark.parametrize("text", ["many", "0", "1.5", "99999999999999999999999"])
def test_a_senseless_environment_is_reported(in_new_process, text):
    shown = in_new_process(
        """
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            from jaxkeops.runtime import native
        print(caught[-1].message)
        """,
        JAXKEOPS_NUM_THREADS=text,
    )
    assert f"expected a whole number from 1 to 4096, got {text!r}" in shown


@pytest.mark.skipif("not hasattr(__import__('os'), 'sched_setaffinity')")
def test_threads_are_as_many_as_cores_allowed(in_new_process):
    shown = in_new_process(
        """
        import os
        os.environ.pop("JAXKEOPS_NUM_THREADS", None)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        from jaxkeops.runtime import native
        print(native.num_threads())
        """,
        JAXKEOPS_NUM_THREADS="",
    )
    assert shown == "1\n"


@pytest.mark.skipif("not hasattr(__import__('os'), 'fork')")
def test_a_forked_child_computes(in_new_process):
    in_new_process(
        """
        import os, signal, threading, warnings
        import numpy as np
        from jaxkeops.runtime import native
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on: fork with threads
        native.set_num_threads(4)
        sample = load_sample()
        kernels = [sample["make_kernel"](staged=staged) for staged in (False, True)]
        x, y, p = np.ones((600, 1), "f4"), np.ones((600, 1), "f4"), np.ones(1, "f4")

        def right():
            return all(
                (k.call_buffers((x, y, p), np.empty, (np.float32, np.int64))[0] == 600).all()
                for k in kernels
            )

        assert right()
        stop = False
        def work():
            while not stop:
                right()
        others = [threading.Thread(target=work) for _ in range(3)]
        for other in others:
            other.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                os._exit(0 if right() else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop = True
        for other in others:
            other.join()
        """
    )


def test_a_process_may_end_while_kernels_run(in_new_process):
    in_new_process(
        """
        import threading
        import numpy as np
        kernel = load_sample()["make_kernel"]()
        x, y, p = np.ones((3000, 1), "f4"), np.ones((3000, 1), "f4"), np.ones(1, "f4")
        def work():
            while True:
                kernel.call_buffers((x, y, p), np.empty, (np.float32, np.int64))
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        """
    )
