/* The configuration: what a test defines. */
