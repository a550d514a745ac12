from zerg_visibility.read.scale import Scale, Wait, waits_to_fold


def test_without_waits_columns_are_proportional():
    scale = Scale(0, 100, (), 50)
    assert scale.cells(0, 50) == (0, 25, False)
    assert scale.cells(50, 100) == (25, 50, False)


def test_a_bar_is_never_empty_and_never_outside():
    scale = Scale(0, 1000, (), 10)
    assert scale.cells(0, 0) == (0, 1, True)
    assert scale.cells(1000, 1000) == (9, 10, True)
    assert scale.cells(-50, 5000) == (0, 10, False)


def test_a_scale_of_no_length_still_draws():
    assert Scale(7, 7, (), 10).cells(7, 7)[:2] in {(0, 1), (9, 10)}


def test_a_folded_wait_takes_one_column():
    scale = Scale(0, 1100, (Wait(50, 1050),), 11)
    assert scale.fold_columns == [5]
    assert scale.cells(0, 50) == (0, 5, False)
    assert scale.cells(1050, 1100) == (6, 11, False)


def test_bars_on_both_sides_of_several_waits_do_not_touch_them():
    waits = (Wait(10, 1000), Wait(1030, 9000))
    scale = Scale(0, 9060, waits, 32)
    bars = [scale.cells(0, 10), scale.cells(1000, 1030), scale.cells(9000, 9060)]
    drawn = [column for first, after, _ in bars for column in range(first, after)]
    assert sorted(drawn + scale.fold_columns) == list(range(32))


def test_only_as_many_waits_are_folded_as_there_can_be():
    calls = [(0, 10), (1000, 1010), (3000, 3010)]
    assert waits_to_fold(calls, 0, 3010, at_most=0) == ()
    assert waits_to_fold(calls, 0, 3010, at_most=1) == (Wait(1010, 3000),)
    assert waits_to_fold(calls, 0, 3010, at_most=2) == (Wait(10, 1000), Wait(1010, 3000))


def test_a_short_pause_is_not_folded():
    assert waits_to_fold([(0, 100), (120, 200)], 0, 200, at_most=5) == ()


def test_overlapping_calls_leave_no_wait_between_them():
    assert waits_to_fold([(0, 100), (10, 900), (300, 400)], 0, 1000, at_most=5) == ()
