"""How weights change by whichever bound their connection has: a row, some columns of it, or one."""

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, inline, offset
from conex_nn.kernels.cpu.plastic_row import make_column, make_row

__all__ = ["make_touch"]


def make_touch(real):
    """Make what changes a row, all of it or some columns of it, by whichever bound the connection has."""
    column_weights, column_traces = make_column(real)
    none_change, none_row, none_divided, none_trace, none_few, none_few_traces = make_row(real, 0)
    soft_change, soft_row, soft_divided, soft_trace, soft_few, soft_few_traces = make_row(real, 1)
    power_change, power_row, power_divided, power_trace, power_few, power_few_traces = make_row(real, 2)
    product_change, product_row, product_divided, product_trace, product_few, product_few_traces = make_row(real, 3)

    @inline
    def change(record, bound, w, p, m, plus, minus):
        plus_side, minus_side = record[of.PLUS_FACTOR], record[of.MINUS_FACTOR]
        low, high = real(as_double(record[of.W_MIN])), real(as_double(record[of.W_MAX]))
        mu = real(as_double(record[of.MU]))
        if bound == 0:
            return none_change(w, p, m, plus, minus, plus_side, minus_side, low, high, mu)
        if bound == 1:
            return soft_change(w, p, m, plus, minus, plus_side, minus_side, low, high, mu)
        if bound == 2:
            return power_change(w, p, m, plus, minus, plus_side, minus_side, low, high, mu)
        return product_change(w, p, m, plus, minus, plus_side, minus_side, low, high, mu)

    @inline
    def touch(record, begin, p, m, sums, px, mx, shift, inverse, n):
        """Change n weights in a row from ``begin`` on."""
        w = offset(as_pointer(record[of.WEIGHT], real), begin)
        plus, minus = real(as_double(record[of.PLUS])) * inverse, real(as_double(record[of.MINUS])) * inverse
        a, b = record[of.PLUS_FACTOR], record[of.MINUS_FACTOR]
        low, high = real(as_double(record[of.W_MIN])), real(as_double(record[of.W_MAX]))
        least, most = real(as_double(record[of.LOW])), real(as_double(record[of.HIGH]))
        mu, bound = real(as_double(record[of.MU])), record[of.BOUND]
        if record[of.ELIGIBILITY] != 0:
            e = offset(as_pointer(record[of.ELIGIBILITY], real), begin)
            if bound == 0:
                none_trace(e, w, p, m, px, mx, shift, plus, minus, a, b, low, high, mu, n)
            elif bound == 1:
                soft_trace(e, w, p, m, px, mx, shift, plus, minus, a, b, low, high, mu, n)
            elif bound == 2:
                power_trace(e, w, p, m, px, mx, shift, plus, minus, a, b, low, high, mu, n)
            else:
                product_trace(e, w, p, m, px, mx, shift, plus, minus, a, b, low, high, mu, n)
        elif bound == 0:
            none_row(w, p, m, sums, px, mx, shift, plus, minus, a, b, low, high, mu, least, most, n)
        elif bound == 1:
            soft_row(w, p, m, sums, px, mx, shift, plus, minus, a, b, low, high, mu, least, most, n)
        elif bound == 2:
            power_row(w, p, m, sums, px, mx, shift, plus, minus, a, b, low, high, mu, least, most, n)
        else:
            product_row(w, p, m, sums, px, mx, shift, plus, minus, a, b, low, high, mu, least, most, n)

    @inline
    def touch_divided(record, begin, p, m, sums, tops, px, mx, shift, inverse, n):
        """Change n weights in a row from ``begin`` on that are kept divided by gains and have no ends of their own."""
        w = offset(as_pointer(record[of.WEIGHT], real), begin)
        gains, bottoms = as_pointer(record[of.GAINS], real), offset(tops, n)
        inverses = offset(gains, n)
        plus, minus = real(as_double(record[of.PLUS])) * inverse, real(as_double(record[of.MINUS])) * inverse
        a, b = record[of.PLUS_FACTOR], record[of.MINUS_FACTOR]
        low, high = real(as_double(record[of.W_MIN])), real(as_double(record[of.W_MAX]))
        mu, bound = real(as_double(record[of.MU])), record[of.BOUND]
        if bound == 0:
            none_divided(
                w, gains, inverses, p, m, sums, tops, bottoms, px, mx, shift, plus, minus, a, b, low, high, mu, n
            )
        elif bound == 1:
            soft_divided(
                w, gains, inverses, p, m, sums, tops, bottoms, px, mx, shift, plus, minus, a, b, low, high, mu, n
            )
        elif bound == 2:
            power_divided(
                w, gains, inverses, p, m, sums, tops, bottoms, px, mx, shift, plus, minus, a, b, low, high, mu, n
            )
        else:
            product_divided(
                w, gains, inverses, p, m, sums, tops, bottoms, px, mx, shift, plus, minus, a, b, low, high, mu, n
            )

    @inline
    def touch_one(record, e, p, m, sums, j, inverse):
        """Change weight e, which is onto target j."""
        w = as_pointer(record[of.WEIGHT], real)
        plus, minus = real(as_double(record[of.PLUS])) * inverse, real(as_double(record[of.MINUS])) * inverse
        old = w[e]
        more = change(record, record[of.BOUND], old, p, m, plus, minus)
        if record[of.ELIGIBILITY] != 0:
            as_pointer(record[of.ELIGIBILITY], real)[e] += more
            return
        least, most = real(as_double(record[of.LOW])), real(as_double(record[of.HIGH]))
        new = old + more
        new = least if new < least else new
        new = most if new > most else new
        sums[j] += abs(new) - abs(old)
        w[e] = new

    @inline
    def touch_column(record, begin, j, p, x, ends, gain, weight_of, inverse, n):
        """Change the weights of n rows onto target j, which has spiked; keep its sum, and the ends of its weights."""
        m = record[of.TARGETS]
        w = offset(as_pointer(record[of.WEIGHT], real), begin * m + j)
        plus, a = real(as_double(record[of.PLUS])) * inverse, record[of.PLUS_FACTOR]
        low, high = real(as_double(record[of.W_MIN])), real(as_double(record[of.W_MAX]))
        least, most = real(as_double(record[of.LOW])), real(as_double(record[of.HIGH]))
        mu, bound = real(as_double(record[of.MU])), record[of.BOUND]
        if record[of.ELIGIBILITY] != 0:
            e = offset(as_pointer(record[of.ELIGIBILITY], real), begin * m + j)
            column_traces(e, w, x, m, p, bound, plus, a, low, high, mu, n)
        else:
            column_weights(w, x, ends, m, p, gain, weight_of, bound, plus, a, low, high, mu, least, most, n)

    @inline
    def touch_few(record, begin, p, sums, px, inverse, events, count):
        """Change the weights of a row onto some targets that spiked."""
        w = offset(as_pointer(record[of.WEIGHT], real), begin)
        plus, a = real(as_double(record[of.PLUS])) * inverse, record[of.PLUS_FACTOR]
        low, high = real(as_double(record[of.W_MIN])), real(as_double(record[of.W_MAX]))
        least, most = real(as_double(record[of.LOW])), real(as_double(record[of.HIGH]))
        mu, bound = real(as_double(record[of.MU])), record[of.BOUND]
        if record[of.ELIGIBILITY] != 0:
            e = offset(as_pointer(record[of.ELIGIBILITY], real), begin)
            if bound == 0:
                none_few_traces(e, w, p, px, plus, a, low, high, mu, events, count)
            elif bound == 1:
                soft_few_traces(e, w, p, px, plus, a, low, high, mu, events, count)
            elif bound == 2:
                power_few_traces(e, w, p, px, plus, a, low, high, mu, events, count)
            else:
                product_few_traces(e, w, p, px, plus, a, low, high, mu, events, count)
        elif bound == 0:
            none_few(w, p, sums, px, plus, a, low, high, mu, least, most, events, count)
        elif bound == 1:
            soft_few(w, p, sums, px, plus, a, low, high, mu, least, most, events, count)
        elif bound == 2:
            power_few(w, p, sums, px, plus, a, low, high, mu, least, most, events, count)
        else:
            product_few(w, p, sums, px, plus, a, low, high, mu, least, most, events, count)

    return touch, touch_divided, touch_one, touch_few, touch_column
