#!/bin/sh
# SPDX-License-Identifier: MIT
# The first process of a netns host: lays its root file system, waits for its network, becomes sshd.
# Variables come from netns.py: LOWER KEYS HOSTS HOST NAME HOME_DIR LIBRARIES SITE.
set -eu
hostname "$NAME"
root=$HOST/root
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$HOST/upper,workdir=$HOST/work" "$root"
cd "$root"
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755,size=1m tmpfs dev
for node in null zero full random urandom tty; do
  : > "dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm run/old run/sshd
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o size=32m,mode=1777 tmpfs dev/shm
mount --rbind "$HOST/home" ".$HOME_DIR"
mkdir -p etc/ssh/fleet-host-key
cp "$HOST"/key/* etc/ssh/fleet-host-key/
cp "$KEYS" etc/ssh/fleet_keys
cp "$HOSTS" etc/hosts
echo "$NAME" > etc/hostname
if [ -n "$LIBRARIES" ]; then
  mkdir -p "$SITE"
  mount --bind -o ro "$LIBRARIES" "$SITE"
fi
cat > /dev/null # until the network is there
pivot_root . run/old
exec chroot . sh -c 'umount -l /run/old; exec /usr/sbin/sshd -D -e' < /dev/null
