"""`python -m registry.cli`: the `registry` command, for starting it in the same interpreter's environment."""

from registry.cli import main

if __name__ == "__main__":
    main()
