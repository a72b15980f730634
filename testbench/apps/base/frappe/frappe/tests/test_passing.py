"""A test that passes."""

import unittest


class Passing(unittest.TestCase):
    def test_arithmetic(self) -> None:
        self.assertEqual(1 + 1, 2)
