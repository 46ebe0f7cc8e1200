"""`python -m tinyc`: the command line without an installed script."""

from tinyc.compiler.cli.commands import main

if __name__ == "__main__":
    main()
