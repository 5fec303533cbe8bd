#!/usr/bin/env python3
"""Uses llmrouter as its users do: installs a build, and builds, links and runs consumers against what was installed.

    tests/consumer/run.py BUILD [GROUP...]     one line for each check; the last line is "N passed, M failed"

Groups: install abi package pkgconfig subproject c python cpp examples snippets; without any, all of them. From a build with sanitizers only those run
that say something there: install abi c python cpp. Everything is made below BUILD/consumer, so a second run has little to do.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GROUPS = ["install", "abi", "package", "pkgconfig", "subproject", "c", "python", "cpp", "examples", "snippets"]
SANITIZED_GROUPS = ["install", "abi", "c", "python", "cpp"]


class Failure(Exception):
    pass


class Runner:
    def __init__(self, build):
        self.build = build.resolve()
        self.work = self.build / "consumer"
        self.prefix = self.work / "prefix"
        self.run_dir = self.work / "run"  # where consumers run: they may leave a data/ there
        cache = (self.build / "CMakeCache.txt").read_text()
        self.cache = dict(re.findall(r"^(\w+):\w+=(.*)$", cache, re.M))
        self.sanitizer = self.cache.get("LLMROUTER_SANITIZE", "")
        self.passed = self.failed = 0
        self.lib = None

    # ---- one check ----

    def check(self, name, work, *arguments):
        """Runs `work`; its output's own "N passed, M failed", when it has one, counts instead of the check itself."""
        begun = time.monotonic()
        try:
            output = work(*arguments) or ""
        except Failure as problem:
            self.failed += 1
            print(f"FAIL {name}\n{indented(str(problem))}", flush=True)
            return False
        counts = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
        if counts:
            self.passed += int(counts[-1][0])
            print(f"ok {name}: {counts[-1][0]} checks ({time.monotonic() - begun:.1f} s)", flush=True)
        else:
            self.passed += 1
            print(f"ok {name} ({time.monotonic() - begun:.1f} s)", flush=True)
        return True

    def command(self, command, cwd=None, env=None, timeout=1200, want=None):
        """The output of a command that must succeed (and say `want`)."""
        environment = {**os.environ, **(env or {})}
        try:
            done = subprocess.run([str(c) for c in command], cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                                  stdin=subprocess.DEVNULL, text=True, errors="replace")
        except subprocess.TimeoutExpired as expired:
            raise Failure(f"{command[0]}: no end after {timeout} s\n{(expired.output or b'')[-2000:]}") from None
        except OSError as error:
            raise Failure(str(error)) from None
        if done.returncode != 0 or (want is not None and want not in done.stdout):
            lines = [line for line in done.stdout.splitlines() if re.search(r"FAIL|[Ee]rror|ERROR|SUMMARY|undefined|#\d+ ", line)]
            raise Failure(f"{' '.join(str(c) for c in command)}: exit {done.returncode}\n" + "\n".join(lines[:25] or [done.stdout[-2500:]]))
        return done.stdout

    def runtime(self):
        """The environment of a program that finds the installed libraries, and the sanitizer's run-time options."""
        env = {"LD_LIBRARY_PATH": str(self.lib)}
        # Programs that load the library after their start (Python) need the sanitizer's own library first.
        env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:halt_on_error=1"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
        env["TSAN_OPTIONS"] = "halt_on_error=1:second_deadlock_stack=1"
        return env

    def cmake(self, source, name, *options, target="all"):
        """Configures and builds a project below the work folder; the folder."""
        folder = self.work / name
        self.command(["cmake", "-G", "Ninja", "-S", source, "-B", folder, "-DCMAKE_BUILD_TYPE=Debug", *options])
        self.command(["cmake", "--build", folder, "-j", os.environ.get("JOBS", "2"), "--target", target])
        return folder

    def sanitize_flags(self):
        return [f"-fsanitize={self.sanitizer}"] if self.sanitizer else []

    # ---- the groups ----

    def install(self):
        shutil.rmtree(self.prefix, ignore_errors=True)
        shutil.rmtree(self.run_dir, ignore_errors=True)
        self.run_dir.mkdir(parents=True)
        self.command(["cmake", "--install", self.build, "--prefix", self.prefix])
        self.find_lib()
        wanted = ["libllmrouter.a", "libllmrouter.so", "libllmrouter-c.so", "pkgconfig/llmrouter.pc", "pkgconfig/llmrouter-c.pc",
                  "cmake/llmrouter/llmrouter-config.cmake"]
        missing = [name for name in wanted if not (self.lib / name).exists()]
        headers = {path.name for path in (ROOT / "include/llmrouter").glob("*.h")}
        missing += sorted(headers - {path.name for path in (self.prefix / "include/llmrouter").glob("*.h")})
        if missing:
            raise Failure(f"not installed: {', '.join(missing)}")

    def find_lib(self):
        found = list(self.prefix.glob("lib*/**/llmrouter-config.cmake"))
        if not found:
            raise Failure(f"nothing is installed in {self.prefix}: run the group `install` first")
        self.lib = found[0].parents[2]

    def symbols(self, library):
        lines = self.command(["nm", "-D", "--defined-only", self.lib / library]).splitlines()
        return [(parts[1], parts[2]) for parts in (line.split() for line in lines) if len(parts) == 3]

    def abi_recorded(self):
        recorded = (HERE / "c_symbols.txt").read_text().split()
        found = sorted(name.split("@")[0] for kind, name in self.symbols("libllmrouter-c.so") if kind != "A")
        gone, new = sorted(set(recorded) - set(found)), sorted(set(found) - set(recorded))
        if gone:
            raise Failure(f"the ABI lost {', '.join(gone)}: programs that were built before would not start")
        if new:
            raise Failure(f"not recorded in tests/consumer/c_symbols.txt: {', '.join(new)}")

    def abi_declared(self):
        header = (ROOT / "include/llmrouter/llmrouter-c.h").read_text()
        declared = sorted(re.findall(r"LLMROUTER_C_EXPORT[^;]*?\b(llmrouter_\w+)\(", header))
        recorded = sorted((HERE / "c_symbols.txt").read_text().split())
        if declared != recorded:
            raise Failure(f"declared and recorded differ: {sorted(set(declared) ^ set(recorded))}")

    def abi_soname(self):
        for library, soname in [("libllmrouter.so", "libllmrouter.so.0"), ("libllmrouter-c.so", "libllmrouter-c.so.0")]:
            self.command(["readelf", "-d", self.lib / library], want=f"[{soname}]")

    def abi_hidden(self):
        # What the C++ library shows is llmrouter's; inline code of the standard library may be among it, as in every C++ library.
        foreign = [name for kind, name in self.symbols("libllmrouter.so")
                   if "9llmrouter" not in name and kind not in "WVu" and not name.startswith(("__asan", "__odr_asan", "__ubsan", "__tsan"))]
        if foreign:
            raise Failure(f"libllmrouter.so shows {', '.join(foreign[:10])}")
        inner = [name for _, name in self.symbols("libllmrouter.so")
                 if re.search(r"9llmrouter(4wire|8dialects|3net|4core|7storage|6config|7catalog)", name)]
        if inner:
            raise Failure(f"libllmrouter.so shows inner parts: {', '.join(inner[:10])}")

    def package(self, kind):
        folder = self.cmake(HERE / "app", f"app-{kind}", f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DKIND={kind}")
        for program in ["app_17", "app_20", "app_23", "c_app"]:
            self.command([folder / program], cwd=self.run_dir, want="all well", timeout=120)
        linked = self.command(["readelf", "-d", folder / "app_17"])
        if ("libllmrouter.so.0" in linked) != (kind == "shared"):
            raise Failure(f"app_17 is not linked to the {kind} library")

    def package_c_alone(self):
        source = self.work / "c-alone-source"
        source.mkdir(exist_ok=True)
        shutil.copy(HERE / "app/main.c", source)
        (source / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.22)\nproject(c_alone LANGUAGES C)\n"
                                               "find_package(llmrouter REQUIRED COMPONENTS c)\nadd_executable(app main.c)\n"
                                               "target_link_libraries(app PRIVATE llmrouter::c)\n")
        # As on a machine without any of the libraries that the C library is made of.
        folder = self.cmake(source, "c-alone", f"-DCMAKE_PREFIX_PATH={self.prefix}", *[f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in
                            ["CURL", "SQLite3", "yaml-cpp", "OpenSSL", "Threads"]])
        self.command([folder / "app"], cwd=self.run_dir, want="all well", timeout=60)

    def package_shared_alone(self):
        self.cmake(HERE / "app", "app-shared-alone", f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DKIND=shared",
                   *[f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in ["CURL", "SQLite3", "yaml-cpp", "OpenSSL", "Threads"]], target="app_17")

    def pkg_config(self, package, *flags):
        env = {"PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}
        return self.command(["pkg-config", *flags, "--cflags", "--libs", package], env=env).split()

    def pkgconfig_cxx(self, kind):
        flags = self.pkg_config("llmrouter", *(["--static"] if kind == "static" else []))
        if kind == "static":  # both kinds lie in one folder: name the one that is meant
            flags = ["-l:libllmrouter.a" if flag == "-lllmrouter" else flag for flag in flags]
        program = self.work / f"pkg-{kind}"
        self.command(["g++", "-std=c++17", "-o", program, HERE / "app/main.cc", HERE / "app/other.cc", *flags, "-pthread"])
        self.command([program], cwd=self.run_dir, env=self.runtime(), want="all well", timeout=120)

    def pkgconfig_c(self):
        program = self.work / "pkg-c"
        self.command(["gcc", "-std=c99", "-pedantic-errors", "-o", program, HERE / "app/main.c", *self.pkg_config("llmrouter-c")])
        self.command([program], cwd=self.run_dir, env=self.runtime(), want="all well", timeout=60)

    def subproject(self, *options):
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        folder = self.cmake(HERE / "sub", "sub", f"-DLLMROUTER_SOURCE={ROOT}", "-DCMAKE_CXX_FLAGS=-O0 -g0", *launcher, *options)
        self.command([folder / "app"], cwd=self.run_dir, want="all well", timeout=120)

    def c_program(self, name):
        program = self.work / f"c-{name}"
        self.command(["gcc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-g", *self.sanitize_flags(),
                      "-o", program, HERE / "c" / f"{name}.c", *self.pkg_config("llmrouter-c"), "-pthread"])
        return self.command([program], cwd=self.run_dir, env=self.runtime(), timeout=300, want="0 failed")

    def python_environment(self):
        env = {**self.runtime(), "LLMROUTER_LIBRARY": str(self.lib / "libllmrouter-c.so.0"), "PYTHONPATH": str(ROOT / "bindings/python"),
               "PYTHONDONTWRITEBYTECODE": "1"}
        preload = {"address": ["libasan.so", "libubsan.so"], "thread": ["libtsan.so"]}
        names = [name for key, libraries in preload.items() if key in self.sanitizer for name in libraries]
        if names:
            # The C++ library too: the sanitizer has to find its exception functions when it starts.
            found = [self.command(["gcc", f"-print-file-name={name}"]).strip() for name in [*names, "libstdc++.so.6"]]
            env["LD_PRELOAD"] = ":".join(found)
            env["PYTHONMALLOC"] = "malloc"
            env["ASAN_OPTIONS"] = "detect_leaks=0:halt_on_error=1"  # the interpreter itself does not free all it has
        return env

    def python_installed(self):
        """The installed module finds the installed library, wherever the prefix lies, with nothing said about either."""
        env = {"PYTHONPATH": str(self.prefix / self.cache["LLMROUTER_PYTHON_DIR"]), "LLMROUTER_LIBRARY": "", "LD_LIBRARY_PATH": ""}
        self.say_hello(sys.executable, env)

    def python_pip(self):
        """`pip install ./bindings/python` in an environment of its own, without a network."""
        folder = self.work / "python-venv"
        shutil.rmtree(folder, ignore_errors=True)
        self.command([sys.executable, "-m", "venv", folder])
        env = {"PYTHONPATH": "", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self.command([folder / "bin/python", "-m", "pip", "install", "-q", ROOT / "bindings/python"], env=env, timeout=300)
        self.say_hello(folder / "bin/python", {**env, "LD_LIBRARY_PATH": str(self.lib), "LLMROUTER_LIBRARY": ""})
        self.command([folder / "bin/python", "-c", "import importlib.metadata as m, llmrouter; assert m.version('llmrouter') == llmrouter.version()"],
                     cwd=self.run_dir, env={**env, "LD_LIBRARY_PATH": str(self.lib)})
        self.command([folder / "bin/python", "-m", "pip", "uninstall", "-q", "-y", "llmrouter"], env=env)

    def say_hello(self, python, env):
        program = ("import llmrouter\nwith llmrouter.Router(settings={'storage.keys': 'memory:', 'storage.usage': 'off'}, environment=False) as router:\n"
                   "    print(llmrouter.__file__, router.chat('demo/echo', 'found it'))\n")
        output = self.command([python, "-c", program], cwd=self.run_dir, env=env, timeout=60, want="found it")
        if str(ROOT / "bindings") in output:
            raise Failure(f"that was the source tree's module: {output}")

    def python_test(self, name):
        return self.command([sys.executable, HERE / "python" / f"{name}.py"], cwd=self.run_dir, env=self.python_environment(), timeout=300, want="0 failed")

    def cpp_build(self, kind):
        self.cpp = self.cmake(HERE / "cpp", f"cpp-{kind}", f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DKIND={kind}", f"-DLLMROUTER_SOURCE={ROOT}",
                              f"-DCMAKE_CXX_FLAGS={' '.join(self.sanitize_flags())}")

    def cpp_program(self, name):
        return self.command([self.cpp / name], cwd=self.run_dir, env=self.runtime(), timeout=600, want="0 failed")

    # ---- examples ----

    def examples_build(self):
        self.examples = self.cmake(ROOT / "examples", "examples", f"-DCMAKE_PREFIX_PATH={self.prefix}")

    def example(self, name, want):
        self.command([self.examples / name], cwd=self.run_dir, timeout=60, want=want)

    def example_python(self):
        self.command([sys.executable, ROOT / "examples/python/chat.py"], cwd=self.run_dir, env=self.python_environment(), timeout=60, want="refused: rate_limited")

    def server(self):
        """The address of a server of this build, started once."""
        binary = self.build / "bin/llmrouter-server"
        folder = self.work / "server"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{s.getsockname()[1]}"
        log = open(folder / "log", "wb")
        self.process = subprocess.Popen([binary, "serve", "--listen", address], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{address}/health", timeout=2).read()
                return address
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.stop_server()
        raise Failure("the server does not answer\n" + (folder / "log").read_text(errors="replace")[-1000:])

    def stop_server(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def example_curl(self, address):
        output = self.command([ROOT / "examples/curl/chat.sh"], cwd=self.run_dir, env={"LLMROUTER_URL": f"http://{address}"}, timeout=60, want="[DONE]")
        if '"message"' not in output:
            raise Failure(output)

    def example_sdk_python(self, address, python):
        self.command([python, ROOT / "examples/python/openai_sdk.py"], cwd=self.run_dir, env={"OPENAI_BASE_URL": f"http://{address}/v1"}, timeout=60, want="word")

    def example_sdk_node(self, address, modules):
        # An ES module is found from where the importing file lies.
        folder = self.work / "node"
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / "examples/javascript/chat.mjs", folder)
        link = folder / "node_modules"
        if link.is_symlink():
            link.unlink()
        link.symlink_to(modules)
        self.command(["node", folder / "chat.mjs"], cwd=self.run_dir, env={"OPENAI_BASE_URL": f"http://{address}/v1"}, timeout=60, want="word")

    def examples_with_server(self):
        if not (self.build / "bin/llmrouter-server").exists():
            print("SKIP: the examples that ask a server: this build has none")
            return
        found = []
        if not self.check("example: a server for the others", lambda: found.append(self.server())):
            return
        try:
            if shutil.which("curl"):
                self.check("example: curl/chat.sh", self.example_curl, found[0])
            # Where the SDK suite puts them.
            sdk = self.build.parent / "sdk"
            python = next((p for p in [sdk / "venv/bin/python", pathlib.Path(sys.executable)] if p.exists() and
                           subprocess.run([p, "-c", "import openai"], stderr=subprocess.DEVNULL).returncode == 0), None)
            if python:
                self.check("example: python/openai_sdk.py", self.example_sdk_python, found[0], python)
            else:
                print("SKIP: example python/openai_sdk.py: the openai package is not installed (the sdk suite installs it)")
            modules = sdk / "node/node_modules"
            if shutil.which("node") and (modules / "openai").exists():
                self.check("example: javascript/chat.mjs", self.example_sdk_node, found[0], modules)
            else:
                print("SKIP: example javascript/chat.mjs: node and the openai package are not installed (the sdk suite installs it)")
        finally:
            self.stop_server()

    # ---- snippets ----

    def snippets(self):
        """(document, number, language, text) of every fenced block."""
        for document in ["README.md", "docs/cpp.md", "docs/c-abi.md"]:
            path = ROOT / document
            if not path.exists():
                continue
            for number, (language, text) in enumerate(re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.M | re.S), 1):
                yield document, number, language, text

    def snippet(self, document, number, language, text):
        base = self.work / f"snippet-{pathlib.Path(document).stem}-{number}"
        if language == "cpp":
            source = base.with_suffix(".cc")
            standard = "c++20" if "coro.h" in text or "asio.h" in text else "c++17"
            source.write_text(wrapped(text))
            self.command(["g++", f"-std={standard}", "-Wall", "-o", base, source, *self.pkg_config("llmrouter"), "-pthread"])
        elif language == "c":
            source = base.with_suffix(".c")
            source.write_text(text)
            self.command(["gcc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-o", base, source, *self.pkg_config("llmrouter-c"), "-pthread"])
        elif language == "cmake":
            source = base.with_suffix("")
            source.mkdir(exist_ok=True)
            (source / "app.cc").write_text("#include <llmrouter/llmrouter.h>\nint main() { return llmrouter::version().empty(); }\n")
            (source / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.22)\nproject(snippet LANGUAGES C CXX)\n"
                                                   "add_executable(app app.cc)\n" + text)
            self.cmake(source, source.name + "-build", f"-DCMAKE_PREFIX_PATH={self.prefix}")
            return
        elif language == "python":
            self.command([sys.executable, "-c", text], cwd=self.run_dir, env=self.python_environment(), timeout=60)
            return
        if "main(" in text:
            self.command([base], cwd=self.run_dir, env=self.runtime(), timeout=60)

    # ---- everything ----

    def run(self, groups):
        todo = {
            "install": lambda: self.check("install into a prefix", self.install),
            "abi": self.group_abi,
            "package": self.group_package,
            "pkgconfig": self.group_pkgconfig,
            "subproject": self.group_subproject,
            "c": lambda: [self.check(f"C99 program: {path.stem}", self.c_program, path.stem) for path in sorted((HERE / "c").glob("*.c"))],
            "python": self.group_python,
            "cpp": self.group_cpp,
            "examples": self.group_examples,
            "snippets": self.group_snippets,
        }
        for group in groups:
            if group != "install" and self.lib is None:
                self.find_lib()
            todo[group]()
            if self.lib is None:
                break
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0

    def group_python(self):
        self.check("Python by ctypes", self.python_test, "test_llmrouter")
        self.check("Python: how things end", self.python_test, "test_endings")
        if self.sanitizer:
            return  # needs the sanitizer's library first, which neither of these is told
        self.check("Python: the installed module", self.python_installed)
        if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL).returncode == 0:
            self.check("Python: pip install", self.python_pip)
        else:
            print("SKIP: Python: pip install: this Python cannot make environments (python3-venv)")

    def group_abi(self):
        self.check("the C library's symbols are the recorded ones", self.abi_recorded)
        self.check("the recorded ones are those of the header", self.abi_declared)
        self.check("library names and numbers", self.abi_soname)
        if not self.sanitizer:
            self.check("the C++ library shows nothing else", self.abi_hidden)

    def group_package(self):
        for kind in ["shared", "static"]:
            self.check(f"find_package, {kind}: C++17, C++20, C++23, C", self.package, kind)
        self.check("find_package, shared: needs none of the libraries inside", self.package_shared_alone)
        self.check("find_package, C alone: needs neither C++ nor the libraries inside", self.package_c_alone)

    def group_pkgconfig(self):
        for kind in ["shared", "static"]:
            self.check(f"pkg-config, {kind}", self.pkgconfig_cxx, kind)
        self.check("pkg-config, C", self.pkgconfig_c)

    def group_subproject(self):
        on = ["-DLLMROUTER_CURL=ON", "-DLLMROUTER_SQLITE=ON", "-DLLMROUTER_YAML=ON"]
        self.check("add_subdirectory, without curl, SQLite and YAML", self.subproject, *[option.replace("ON", "OFF") for option in on])
        self.check("add_subdirectory", self.subproject, *on)

    def group_cpp(self):
        if self.check("C++ tests build", self.cpp_build, "shared" if not self.sanitizer else "static"):
            programs = ["shim", "coroutines", "stderr_logger", "client_alloc", "fail_alloc", "probes"] + (["asio"] if (self.cpp / "asio").exists() else [])
            for name in programs:
                # Replacing operator new is also what this sanitizer does.
                if name.endswith("_alloc") and "thread" in self.sanitizer:
                    continue
                self.check(f"C++ program: {name}", self.cpp_program, name)

    def group_examples(self):
        if self.check("examples build against what was installed", self.examples_build):
            for name, want in [("first_answer", "sky"), ("stream", "story"), ("own_loop", "second ended: ok"), ("own_transport", "in the can"),
                               ("keys_and_limits", "a minute later"), ("coroutine", "word"), ("asio_context", "callback"), ("c_chat", "sky"),
                               ("c_stream", '"status":"ok"')]:
                if (self.examples / name).exists():
                    self.check(f"example: {name}", self.example, name, want)
                else:
                    print(f"SKIP: example {name} was not built")
        self.check("example: python/chat.py", self.example_python)
        self.examples_with_server()

    def group_snippets(self):
        for document, number, language, text in self.snippets():
            if language in {"cpp", "c", "cmake"} or (language == "python" and "import llmrouter" in text):
                self.check(f"snippet: {document}, block {number} ({language})", self.snippet, document, number, language, text)


def wrapped(text):
    """A C++ snippet as a file: whole programs as they are; others inside a function that has what the guide says is there."""
    if "main(" in text and "#include" not in text:
        return "#include <iostream>\n#include <llmrouter/llmrouter.h>\n" + text
    if "main(" in text or re.search(r"^(class|struct|namespace|llmrouter::Task|llmrouter::Result)", text, re.M):
        return text if "main(" in text else "#include <iostream>\n#include <llmrouter/llmrouter.h>\n" + text + "\nint main() {}\n"
    includes = "\n".join(line for line in text.splitlines() if line.startswith("#include"))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#include"))
    return (f"#include <iostream>\n#include <llmrouter/llmrouter.h>\n{includes}\n"
            f"[[maybe_unused]] static int snippet(llmrouter::Client& llm) {{\n(void)llm;\n{body}\nreturn 0;\n}}\nint main() {{}}\n")


def indented(text):
    return "\n".join("  " + line for line in text.splitlines())


def main():
    if len(sys.argv) < 2 or not (pathlib.Path(sys.argv[1]) / "CMakeCache.txt").exists():
        print(__doc__, file=sys.stderr)
        return 2
    runner = Runner(pathlib.Path(sys.argv[1]))
    groups = sys.argv[2:] or (SANITIZED_GROUPS if runner.sanitizer else GROUPS)
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        print(f"no group {', '.join(unknown)}: expected {' '.join(GROUPS)}", file=sys.stderr)
        return 2
    return runner.run(groups)


sys.exit(main())
