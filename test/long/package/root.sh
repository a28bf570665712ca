#!/bin/sh
# An empty root for one test: busybox, a C library, setpriv and nothing else. root.sh ROOT NODE, where NODE tells
# which libraries it needs.
set -eu
root=$1
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/etc" "$root/tmp" "$root/run" "$root/opt" "$root/usr/local"
chmod 1777 "$root/tmp"
copy() {
  for file in "$1" $(ldd "$1" | grep -o '/[^ ]*'); do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
  done
}
copy "$(command -v busybox)"
copy "$(command -v setpriv)"
# busybox's own takes a second for Node alone, and is tried by install.test.ts.
copy "$(command -v sha256sum)"
for file in $(ldd "$2" | grep -o '/[^ ]*'); do
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
done
for applet in $(busybox --list); do
  [ "$applet" = setpriv ] || [ "$applet" = sha256sum ] || ln -sf "$(command -v busybox)" "$root/bin/$applet"
done
# All that the machine has to write is not this test's to wait for.
rm "$root/bin/sync" && printf '#!/bin/sh\n' >"$root/bin/sync" && chmod 755 "$root/bin/sync"
printf 'root:x:0:0:root:/root:/bin/sh\npos:x:500:500:pos:/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npos:x:500:\nlp:x:7:pos\n' >"$root/etc/group"
