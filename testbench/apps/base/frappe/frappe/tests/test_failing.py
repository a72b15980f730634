"""Tests of which one passes, one fails and one raises."""

import unittest


class Failing(unittest.TestCase):
    def test_passes(self) -> None:
        self.assertTrue(True)

    def test_fails(self) -> None:
        self.assertEqual(1, 2)

    def test_raises(self) -> None:
        raise ValueError("boom")
