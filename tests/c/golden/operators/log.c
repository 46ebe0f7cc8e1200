/* The C of one log. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @log {
  input %x: f32[2,3]
  %y = log(%x) : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_log_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = logf(x0[i0]);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 log "y": 2x3 -> 2x3 */
    net_log_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
