"""The compiler around the IR: frontend, driver, command line and reports."""
