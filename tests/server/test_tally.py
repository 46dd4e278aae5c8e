"""Counts by many threads, handed over by one: not one is lost, and none counted twice."""

from threading import Thread

from prometheus_client import CollectorRegistry, Counter

from server.tally import Tally

# Each test has a counter of its own name: where values are shared, they are by name.


def test_what_many_threads_count_arrives_whole() -> None:
    registry = CollectorRegistry()
    tally = Tally(Counter("by_many", "Answers.", ["answer"], registry=registry))

    def count() -> None:
        for _ in range(20_000):
            tally.add(("held",))
        tally.add(("signed",))

    threads = [Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        tally.hand_over()
    for thread in threads:
        thread.join()
    for _ in range(2):
        tally.hand_over()
        assert registry.get_sample_value("by_many_total", {"answer": "held"}) == 160_000
        assert registry.get_sample_value("by_many_total", {"answer": "signed"}) == 8


def test_a_thread_that_takes_the_number_of_one_that_ended_counts_on() -> None:
    registry = CollectorRegistry()
    tally = Tally(Counter("in_turn", "Answers.", ["answer"], registry=registry))
    for _ in range(50):
        thread = Thread(target=tally.add, args=[("held",)])
        thread.start()
        thread.join()
        tally.hand_over()
    assert registry.get_sample_value("in_turn_total", {"answer": "held"}) == 50
