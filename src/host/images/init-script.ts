// The first program of our default guests: a shell script for busybox. It mounts what programs expect, greets,
// gives a shell on the console and powers off when the shell ends.
// `cttyhack` finds the console's own terminal, so that job control and Ctrl-C work in the guest.

/** Text of `/init`. */
export const INIT_SCRIPT = `#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root PS1='zendo:\\w# '
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/pts /dev/shm
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox --install -s /bin
hostname zendo
cd /root
echo
echo "Welcome to Zendo: $(uname -s) $(uname -r) on $(nproc) vCPU, $(grep -o '[0-9]*' /proc/meminfo | head -n 1) kB of memory."
echo "This is busybox's shell. Type exit to power off."
echo
setsid cttyhack sh
poweroff -f
`;
