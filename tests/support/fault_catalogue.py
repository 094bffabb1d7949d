"""The catalogue of faults: forty kinds, and for each the tests with real peers that show what becomes of it.

A test is named by its file below `tests/` and its function. A row with a `gap` says what is not shown yet, and why.
"""

from dataclasses import dataclass

PROCESS = "live/test_process_faults.py::test_"
DISK = "live/test_disk_faults.py::test_"
SOCKET = "live/test_hostile_sockets.py::test_"
GATE = "live/test_gate_faults.py::test_"
LINK = "live/test_slow_links.py::test_"
BROKEN = "live/test_broken_disk.py::test_"
STOPPED = "live/test_stopped_peers.py::test_"
PUPPET = "live/test_puppet_scenarios.py::test_"
FAILOVER = "live/test_failover.py::test_"
USER = "live/test_user_code_faults.py::test_"
CLIENT = "live/test_client_faults.py::test_"
INPUT = "live/test_poisoned_input.py::test_"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault, the tests that show it on real peers, and what is missing."""

    number: int
    name: str
    tests: tuple[str, ...] = ()
    gap: str = ""


CATALOGUE = (
    Fault(
        1,
        "kill -9",
        (
            PROCESS + "no_acknowledged_write_of_a_storm_is_lost_when_peers_are_killed_at_random_moments",
            FAILOVER + "job_whose_tracker_and_another_peer_are_killed_gives_the_sequential_answer",
            "node/test_storage_store.py::test_killed_process_loses_no_acknowledged_write",
        ),
    ),
    Fault(2, "pause", (PROCESS + "peer_stopped_for_longer_than_a_suspicion_is_a_zombie_that_does_no_harm",)),
    Fault(
        3,
        "slow peer",
        (
            PROCESS + "peer_that_runs_one_tenth_of_the_time_slows_but_spoils_nothing",
            GATE + "slow_work_stops_user_code_twice_as_long_when_ordered_twice",
        ),
    ),
    Fault(
        4,
        "symmetric cut",
        (
            GATE + "cut_peers_suspect_each_other_and_find_each_other_when_it_is_lifted",
            PUPPET + "scenario_holds_on_real_processes",
        ),
    ),
    Fault(
        5,
        "asymmetric and partial cut, bridge, ring of majorities",
        (
            PROCESS + "writes_acknowledged_under_a_partial_cut_are_all_there_after_it",
            PUPPET + "job_gives_the_sequential_answer_although",
        ),
    ),
    Fault(6, "flapping link", (PROCESS + "flapping_links_lose_no_acknowledged_write_and_kill_nobody",)),
    Fault(
        7,
        "delay, jitter",
        (
            GATE + "delay_of_a_link_delays_the_write_that_needs_it_and_no_other",
            LINK + "messages_of_a_narrow_link_wait_for_each_other_and_those_back_do_not",
        ),
    ),
    Fault(8, "message lost", (GATE + "writes_through_lossy_doubling_jittery_links_are_neither_lost_nor_doubled",)),
    Fault(9, "message doubled", (LINK + "message_that_is_doubled_arrives_twice_and_is_done_once",)),
    Fault(10, "messages in another order", (LINK + "messages_that_overtake_each_other_leave_the_newest_value",)),
    Fault(
        11,
        "reset amid a message, half-open connection",
        (
            SOCKET + "connections_reset_amid_a_frame_are_given_back",
            SOCKET + "stalled_connections_are_closed",
            PROCESS + "pull_whose_connection_is_reset_amid_a_chunk_goes_on_from_another_source",
        ),
    ),
    Fault(12, "clock jump", (GATE + "clock_that_jumps_by_an_hour_harms_nobody",)),
    Fault(
        13,
        "full disk",
        (
            GATE + "disk_that_takes_no_writes_refuses_puts_in_its_own_words_and_still_reads",
            GATE + "job_on_a_full_disk_waits_for_room_and_blames_no_user_code",
            "node/test_storage_store.py::test_full_disk_fails_writes_keeps_reads_and_leaves_no_orphan",
        ),
    ),
    Fault(
        14,
        "input/output error",
        (
            DISK + "files_that_cannot_be_read_are_read_elsewhere",
            BROKEN + "peer_with_a_broken_disk_answers_from_its_neighbours_and_keeps_what_it_had",
        ),
    ),
    Fault(
        15,
        "torn, short, flipped, missing file",
        (
            DISK + "spoilt_values_are_never_served_nor_missed_and_are_mended_from_replicas",
            DISK + "value_spoilt_at_all_its_homes_is_reported_and_not_called_absent",
            DISK + "job_on_spoilt_chunks_gives_the_sequential_answer",
            DISK + "runs_that_spoil_in_the_middle_of_a_job_are_made_again",
        ),
        gap="a spoilt chunk is read elsewhere, but mended only when it is stored anew: `fs check --repair` is to come",
    ),
    Fault(16, "slow disk", (GATE + "slow_disk_makes_each_write_late", PUPPET + "scenario_holds_on_real_processes")),
    Fault(
        17,
        "restart with an empty disk",
        (
            DISK + "peer_that_comes_back_with_an_empty_disk_costs_no_acknowledged_key",
            PUPPET + "job_gives_the_sequential_answer_although",
        ),
    ),
    Fault(
        18,
        "restart with an old disk",
        (
            DISK + "peer_that_comes_back_with_an_old_disk_forgets_no_acknowledged_key_and_uses_no_dot_again",
            STOPPED + "writes_before_and_after_the_return_of_an_old_disk_are_kept_and_told_apart",
        ),
        gap="the peer does not know that its disk is old: as an acceptor of a register it may forget a promise",
    ),
    Fault(
        19,
        "disks swapped between two peers",
        (
            DISK + "peers_with_each_others_disks_do_not_start_and_say_whose_they_are",
            STOPPED + "peers_refuse_each_others_directories_with_one_line_and_start_again_on_their_own",
        ),
    ),
    Fault(
        20,
        "descriptors exhausted",
        (
            USER + "peer_without_descriptors_or_memory_spoils_nothing_and_the_others_end_the_job",
            SOCKET + "silent_connections_that_take_all_descriptors_do_so_for_a_moment_only",
        ),
    ),
    Fault(
        21, "memory pressure", (USER + "peer_without_descriptors_or_memory_spoils_nothing_and_the_others_end_the_job",)
    ),
    Fault(
        22,
        "user code raises",
        (
            USER + "what_user_code_raises_fails_the_job_with_its_type_message_frames_split_and_record",
            USER + "failing_attempt_is_made_again_until_the_budget_is_used_up",
        ),
    ),
    Fault(
        23,
        "user code hangs",
        (
            USER + "kill_ends_user_code_that_hangs_in_any_way_and_all_its_processes",
            USER + "time_limit_of_a_split_ends_what_hangs_and_says_so",
        ),
    ),
    Fault(
        24,
        "user code leaks memory",
        (
            USER + "mapper_that_leaks_fails_its_job_within_seconds_and_harms_no_other",
            USER + "user_code_without_memory_left_fails_with_a_memory_error",
            USER + "executor_that_the_system_kills_for_memory_is_told_with_a_way_out",
        ),
    ),
    Fault(
        25,
        "user code forks",
        (
            USER + "daemons_that_a_job_leaves_end_with_the_job",
            USER + "daemons_of_a_killed_peer_end_with_it",
        ),
    ),
    Fault(26, "user code prints without end", (USER + "flood_of_output_is_drained_and_kept_up_to_a_mebibyte",)),
    Fault(
        27,
        "user code ends its process",
        (
            USER + "process_that_ends_before_its_attempt_fails_the_job_and_the_end_is_named",
            USER + "attempt_whose_process_dies_once_is_made_again_and_the_job_is_right",
        ),
    ),
    Fault(
        28,
        "user code spoils its surroundings",
        (
            USER + "attempt_after_one_that_spoilt_its_process_finds_everything_as_it_was",
            USER + "temporary_files_of_user_code_are_gone_with_its_job",
        ),
    ),
    Fault(
        29,
        "client vanishes",
        (
            CLIENT + "job_whose_client_vanishes_goes_on_and_another_client_receives_its_output",
            CLIENT + "upload_whose_client_vanishes_leaves_nothing_visible_and_works_again",
            CLIENT + "download_whose_client_vanishes_leaves_no_half_file_and_works_again",
        ),
    ),
    Fault(
        30,
        "tracker dies, or wakes with an old epoch",
        (
            PROCESS + "tracker_that_was_stopped_wakes_with_an_old_epoch_and_obeys_its_successor",
            GATE + "job_goes_on_under_a_successor_when_its_trackers_role_falls_silent",
            PUPPET + "scenario_holds_on_real_processes",
        ),
    ),
    Fault(
        31,
        "join and leave storm, two peers with one id, first contact down",
        (
            PROCESS + "storm_of_joins_leaves_and_deaths_ends_in_one_view_and_loses_nothing",
            PROCESS + "peer_whose_first_contact_is_down_joins_by_the_next_or_when_it_comes_up",
            PROCESS + "copied_directory_at_another_address_takes_the_place_of_its_peer_which_ends_with_one_line",
        ),
    ),
    Fault(32, "poisoned input", (INPUT + "poisoned_text_gives_what_a_sequential_run_gives_wherever_it_is_cut",)),
    Fault(
        33,
        "msgpack garbage",
        (
            SOCKET + "frame_that_is_no_message_gets_no_answer_and_harms_nobody",
            SOCKET + "flood_of_the_largest_frames_costs_bounded_memory_and_holds_up_nobody",
        ),
    ),
    Fault(
        34,
        "slow-loris",
        (
            SOCKET + "silent_connections_are_closed_and_keep_nobody_waiting",
            SOCKET + "silent_connections_that_take_all_descriptors_do_so_for_a_moment_only",
            SOCKET + "stalled_connections_are_closed",
        ),
    ),
    Fault(
        35,
        "port scan",
        (SOCKET + "port_scan_finds_a_peer_that_does_not_mind",),
        gap="ZMTP 1.0 and 2.0 know no heartbeats: such a connection stays as long as its other side likes",
    ),
    Fault(
        36,
        "huge frame, a hundred thousand parts",
        (
            SOCKET + "frame_over_the_limit_closes_its_connection_at_once_and_takes_no_memory",
            SOCKET + "message_of_a_hundred_thousand_parts_is_refused",
        ),
        gap="libzmq bounds each part, but not the parts of one message that never ends; keys will keep strangers out",
    ),
    Fault(
        37, "wrong or revoked key, token used again", gap="messages are not encrypted yet: peers bind to loopback only"
    ),
    Fault(
        38,
        "mixed versions",
        (SOCKET + "frame_that_is_no_message_gets_no_answer_and_harms_nobody",),
        gap="there is one protocol version so far; a frame of another one is refused",
    ),
    Fault(
        39,
        "hot key, sibling bomb, a million small keys",
        (SOCKET + "sibling_bomb_is_refused_at_its_limit_and_resolved_by_one_write",),
        gap="a million keys are for the benchmarks",
    ),
    Fault(
        40,
        "all peers killed, restarted in any order",
        (
            PROCESS + "job_and_acknowledged_writes_survive_the_kill_of_all_peers_at_once_and_a_restart_in_any_order",
            FAILOVER + "acknowledged_keys_survive_the_kill_and_restart_of_all_peers",
        ),
    ),
)
