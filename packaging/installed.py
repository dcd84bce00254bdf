"""How an installed library is used: by programs that are compiled with nothing but pkg-config, or nothing but CMake."""

import os
import re
import subprocess

from suite import CC, SOURCE, need, read, run

VERSION = re.search(r'^version = "(.*)"', read(SOURCE, "Cargo.toml"), re.M)[1]
SONAME = "libsock.so." + VERSION.split(".")[0]
CXX = os.environ.get("CXX", "c++")
EXAMPLES = os.path.join(SOURCE, "man", "examples")
EXAMPLE = os.path.join(EXAMPLES, "sock_sendall.c")
MULTIARCH = subprocess.run([CC, "-print-multiarch"], stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()
LIBDIR = os.path.join("/usr/lib", MULTIARCH)

CMAKE_PROJECT = """cmake_minimum_required(VERSION 3.13)
project(user C CXX)
find_package(libsock 0.1 REQUIRED)
foreach(library sock sock_static)
  add_executable(c_${library} example.c)
  add_executable(cxx_${library} example.cpp)
  target_link_libraries(c_${library} libsock::${library})
  target_link_libraries(cxx_${library} libsock::${library})
endforeach()
set(where "${libsock_DIR}")
set(missing 1 99)
set(there 0.0 @VERSION@)
if(NOT CMAKE_VERSION VERSION_LESS 3.19)
  list(APPEND missing 0.0...0.0.9 0.0...<@VERSION@ 1...2)
  list(APPEND there 0.0...@VERSION@ 0.0...<1 0.0...2)
endif()
foreach(wanted ${missing} ${there})
  # What was not found is not looked for there again.
  set(libsock_DIR "${where}" CACHE PATH "" FORCE)
  find_package(libsock ${wanted} QUIET)
  if((wanted IN_LIST there AND NOT libsock_FOUND) OR (wanted IN_LIST missing AND libsock_FOUND))
    message(FATAL_ERROR "libsock ${wanted}: found is ${libsock_FOUND}")
  endif()
endforeach()
""".replace("@VERSION@", VERSION)


# What was said to those who started the suite.
NOT_FOR_US = ["MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "BUILD", "DESTDIR", "PREFIX", "LIBDIR", "INCLUDEDIR", "MANDIR", "DOCDIR",
              "LIBSOCK_SOURCE", "LIBSOCK_BUILD"]


def environment(**changes):
    """That of a user's shell, with changes."""
    return {**{name: value for name, value in os.environ.items() if name not in NOT_FOR_US}, **changes}


def make(*arguments, source=SOURCE):
    return run("make", "-C", source, *arguments, env=environment())


def run_example(source, program, env=None):
    """Runs a program and compares what it prints with what the comments in its source say."""
    printed = run(program, env=env, timeout=60).splitlines()
    said = re.findall(r"(?:printf|puts)\(.*\);  /\* (.*) \*/", read(source))
    assert printed == said, f"{os.path.basename(source)} printed {printed}, its comments say {said}"


def needed(program):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))


def below(root, libdir):
    return environment(LD_LIBRARY_PATH=root + libdir)


def pkg_config(root, *arguments, libdir=LIBDIR):
    need("pkg-config")
    below_root = environment(PKG_CONFIG_LIBDIR=f"{root}{libdir}/pkgconfig", PKG_CONFIG_SYSROOT_DIR=root,
                             PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")
    return run("pkg-config", *arguments, "libsock", env=below_root).split()


def compile_with_pkg_config(root, directory, compiler, static, libdir=LIBDIR):
    need(*compiler[:1])
    os.makedirs(directory, exist_ok=True)
    program = os.path.join(directory, "program")
    flags = ["--cflags", "--libs", *(["--static"] if static else [])]
    run(*compiler, "-Wall", "-Wextra", "-Werror", "-o", program, EXAMPLE, *pkg_config(root, *flags, libdir=libdir),
        *(["-static"] if static else []))
    libraries = needed(program)
    assert (SONAME in libraries) != static, f"the program needs {libraries}"
    run_example(EXAMPLE, program, below(root, libdir))


def compile_with_cmake(root, directory, libdir=LIBDIR):
    need("cmake", CXX)
    os.makedirs(directory, exist_ok=True)
    for name in ("example.c", "example.cpp"):
        os.symlink(EXAMPLE, os.path.join(directory, name))
    with open(os.path.join(directory, "CMakeLists.txt"), "w") as file:
        file.write(CMAKE_PROJECT)
    programs = os.path.join(directory, "programs")
    # This system's CMake looks into this system's library directory, but not into that of another distribution.
    where = f"-DCMAKE_PREFIX_PATH={root}/usr" if libdir == LIBDIR else f"-Dlibsock_DIR={root}{libdir}/cmake/libsock"
    run("cmake", "-S", directory, "-B", programs, where,
        f"-DCMAKE_C_COMPILER={CC}", f"-DCMAKE_CXX_COMPILER={CXX}")
    run("cmake", "--build", programs)
    for name in ("c_sock", "cxx_sock", "c_sock_static", "cxx_sock_static"):
        program = os.path.join(programs, name)
        libraries = needed(program)
        assert (SONAME in libraries) != name.endswith("static"), f"{name} needs {libraries}"
        run_example(EXAMPLE, program, below(root, libdir))
