"""How the suites of this folder count: one line for each case that fails, and "N passed, M failed" at the end."""
import argparse
import os
import time
import traceback

from client_base import Broken


def arguments(*flags):
    """SERVER, -k WORD (only cases whose name holds it), -v (all of what is wrong), and these flags."""
    parser = argparse.ArgumentParser()
    parser.add_argument("server", type=os.path.abspath)
    parser.add_argument("-k", default="")
    parser.add_argument("-v", action="store_true")
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


class Tally:
    def __init__(self, args):
        self.args, self.passed, self.failures, self.began = args, 0, [], time.monotonic()

    def wants(self, name):
        return self.args.k in name

    def attempt(self, name, case, *words):
        """What `case(*words)` returns; None when it fails."""
        try:
            result = case(*words)
        except (AssertionError, Broken) as e:
            self.failed(name, str(e) if self.args.v else str(e).split("\n")[0][:300])
        except Exception:
            self.failed(name, traceback.format_exc())
        else:
            self.passed += 1
            return result

    def failed(self, name, why):
        self.failures.append(name)
        print("FAIL %s: %s" % (name, why))

    def end(self, world, *said):
        """The exit code. `said` stands before the time."""
        for problem in world.test.finish():
            self.failed("the end", problem)
        print(", ".join(said + ("%.1f s" % (time.monotonic() - self.began),)))
        print("%d passed, %d failed" % (self.passed, len(self.failures)))
        return 1 if self.failures else 0
