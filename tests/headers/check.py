#!/usr/bin/env python3
"""Every public header compiles alone, in each standard and with each compiler; and nobody includes what its layer may not know.

    tests/headers/check.py          one line for each failure; the last line is "N passed, M failed"
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"

# Headers that need more than C++17, or a library that may not be there.
FROM_CXX20 = {"coro.h"}
NEEDS = {"asio.h": "boost/asio/any_io_executor.hpp"}

# ---- Who may include whom (lib/README.md) ----

LAYERS = {  # inner headers, as "LAYER/x.h", and libraries
    "base": ([], []),
    "wire": ([], []),
    "dialects": (["wire"], []),
    "net": (["wire"], ["curl/"]),
    "filters": ([], ["re2/"]),
    "core": ([], ["absl/"]),
    "auth": (["wire"], ["openssl/"]),
    "storage": (["wire"], ["sqlite3.h", "openssl/"]),
    "config": (["wire"], ["yaml-cpp/"]),
    "catalog": ([], []),
}
# Faces: their own headers by these prefixes (empty: beside the file), and libraries.
FACES = {"lib": ("", []), "server": ("server/", ["boost/"]), "bindings/c": ("", []), "examples/cpp": ("", ["boost/asio"]), "examples/c": ("", [])}
ADAPTERS = {"asio.h": ["boost/asio/", "asio/"]}

STANDARD = set("""algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes climits clocale
cmath codecvt compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar
cwchar cwctype deque exception execution filesystem format forward_list fstream functional future initializer_list iomanip ios iosfwd iostream
istream iterator latch limits list locale map memory memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex
scoped_allocator semaphore set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string string_view strstream
syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version
stddef.h stdint.h""".split())
SYSTEM = re.compile(r"(sys|netinet|arpa|net|linux)/[a-z0-9_]+\.h|[a-z0-9_]*intrin\.h|(unistd|fcntl|link|poll|pthread|signal|netdb|time|errno|strings?|stdio|"
                    r"stdlib|dirent|dlfcn|sched|termios|pwd|execinfo|malloc)\.h")
INCLUDES = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)


def beginning(name, prefixes):
    return any(name == prefix or name.startswith(prefix) for prefix in prefixes)


def faults_of(path, text):
    """What `text`, as the file at `path` (relative to the root), includes and may not."""
    parts = pathlib.PurePosixPath(path).parts
    public = parts[0] == "include"
    layer = parts[1] if parts[0] == "lib" and len(parts) > 2 else None
    if layer is not None and layer not in LAYERS:
        return [f"{path}: {layer} is no layer"]
    face = None if public or layer else next((f for f in FACES if path.startswith(f + "/")), None)
    faults = []
    for bracket, name in INCLUDES.findall(text):
        if name.startswith("llmrouter/") and (INCLUDE / name).exists():
            continue
        if bracket == "<" and name in STANDARD:
            continue
        if public:
            good = beginning(name, ADAPTERS.get(parts[-1], []))
        elif bracket == "<" and SYSTEM.fullmatch(name):
            good = True
        elif layer is not None:
            uses, libraries = LAYERS[layer]
            good = beginning(name, [f"{used}/" for used in [layer, *uses]]) if bracket == '"' else beginning(name, libraries)
            # Data that is included where it is used.
            good = good or (bracket == '"' and name.endswith(".inc"))
        elif face is not None:
            prefix, libraries = FACES[face]
            own = bracket == '"' and (name.startswith(prefix) if prefix else "/" not in name)
            good = own or beginning(name, libraries)
        else:
            good = True
        if not good:
            faults.append(f"{path}: may not include {name}")
    return faults


def sources():
    for top in ["include", "lib", "server", "bindings/c", "examples/cpp", "examples/c"]:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in {".h", ".cc", ".c"} and path.is_file():
                yield path.relative_to(ROOT).as_posix(), path.read_text(errors="replace")


def layer_checks():
    yield "the layer rule is kept", [fault for path, text in sources() for fault in faults_of(path, text)]
    # The check itself can fail: each of these is refused, its neighbour is not.
    wrong = [("lib/core/x.cc", "#include <curl/curl.h>"), ("lib/core/x.cc", '#include "wire/sse.h"'), ("lib/net/x.cc", '#include "dialects/fault.h"'),
             ("lib/storage/x.cc", "#include <yaml-cpp/yaml.h>"), ("lib/builder.cc", '#include "net/reactor.h"'), ("include/llmrouter/x.h", "#include <sqlite3.h>"),
             ("include/llmrouter/x.h", "#include <boost/asio.hpp>"), ("server/x.cc", '#include "core/router_impl.h"'), ("bindings/c/x.cc", '#include "wire/sse.h"'),
             ("server/x.cc", "#include <sqlite3.h>"), ("include/llmrouter/x.h", "  #  include <sys/epoll.h>")]
    right = [("lib/core/x.cc", '#include "core/router_impl.h"'), ("lib/net/x.cc", "#include <curl/curl.h>"), ("lib/dialects/x.cc", '#include "wire/sse.h"'),
             ("include/llmrouter/asio.h", "#include <boost/asio/post.hpp>"), ("server/x.cc", "#include <boost/beast.hpp>"), ("bindings/c/x.cc", '#include "json.h"'),
             ("lib/net/x.cc", "#include <sys/epoll.h>\n#include <vector>")]
    yield "the layer check refuses what is wrong", [f"{path}: {text} was not refused" for path, text in wrong if not faults_of(path, text)]
    yield "the layer check accepts what is right", [fault for path, text in right for fault in faults_of(path, text)]


def has_header(name):
    compiler = shutil.which("g++") or shutil.which("clang++")
    return compiler and subprocess.run([compiler, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"], input=f"#include <{name}>\n".encode(),
                                       stderr=subprocess.DEVNULL).returncode == 0


def compilations():
    """(name, command, source) for every header, standard and compiler."""
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", f"-I{INCLUDE}"]
    missing = {header for header, needed in NEEDS.items() if not has_header(needed)}
    for header in sorted(missing):
        print(f"SKIP: {header}: {NEEDS[header]} is not installed")
    headers = [path.name for path in sorted((INCLUDE / "llmrouter").glob("*.h")) if path.name not in missing]
    for compiler in ["g++", "clang++"]:
        if not shutil.which(compiler):
            print(f"SKIP: {compiler} is not installed")
            continue
        for standard in ["c++17", "c++20", "c++2b"]:
            for header in headers:
                if standard == "c++17" and header in FROM_CXX20:
                    continue
                # Twice: the guard holds.
                source = f'#include "llmrouter/{header}"\n#include "llmrouter/{header}"\n'
                yield f"{compiler} {standard} {header}", [compiler, f"-std={standard}", *warnings, "-x", "c++"], source
    for compiler in ["gcc", "clang"]:
        if not shutil.which(compiler):
            continue
        for standard in ["c99", "c11"]:
            source = '#include "llmrouter/llmrouter-c.h"\nint main(void) { return llmrouter_version() == 0; }\n'
            yield (f"{compiler} {standard} llmrouter-c.h",
                   [compiler, f"-std={standard}", "-pedantic-errors", "-Wstrict-prototypes", *warnings, "-x", "c"], source)


def compile_one(job):
    name, command, source = job
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(source)
        file.flush()
        done = subprocess.run([*command, file.name], capture_output=True, text=True)
    return name, [] if done.returncode == 0 else [line for line in done.stderr.splitlines() if "error" in line][:3] or [done.stderr[:300]]


def main():
    passed = failed = 0
    results = list(layer_checks())
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        results += pool.map(compile_one, list(compilations()))
    for name, faults in results:
        if faults:
            failed += 1
            print(f"FAIL: {name}")
            for fault in faults[:20]:
                print(f"  {fault}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
