from tests.cli.conftest import alive, clean_environment, dead, make, store  # noqa: F401
