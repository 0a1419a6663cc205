"""Found before the package of that name, which takes two seconds to import; see tests/conftest.py."""

raise ImportError("hidden from the tests")
