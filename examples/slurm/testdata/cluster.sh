#!/bin/bash
# A Slurm cluster of some nodes on one host, in namespaces of its own, for as long as a command runs:
# cluster.sh FOLDER NODES COMMAND... Nothing can leave the namespaces, and all of it ends with them.
set -euo pipefail
if [ -z "${IN_CLUSTER-}" ]; then
  # The daemons end with their namespace, also if this is killed.
  exec env IN_CLUSTER=1 unshare --net --uts --mount --pid --fork --kill-child --mount-proc -- "$0" "$@"
fi
folder=$1 nodes=$2
shift 2
host=slurmhost
ip link set lo up
hostname $host
# glibc looks for no address of a name where there is loopback alone.
ip link add br0 type bridge
ip addr add 10.99.0.1/24 dev br0
ip link set br0 up
{
  echo 127.0.0.1 localhost
  echo "10.99.0.1 $host $(seq -s ' ' -f n%g "$nodes")"
} >"$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts
mkdir -p "$folder"/{state,log,run,munge}
chmod 755 "$folder"
cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(10.99.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.socket
CredType=cred/munge
SlurmctldPort=16817
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/run/ctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/ctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MpiDefault=none
ReturnToService=2
InactiveLimit=0
KillWait=5
NodeName=n[1-$nodes] NodeHostname=$host NodeAddr=10.99.0.1 Port=[17001-$((17000 + nodes))] CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
CONF
export SLURM_CONF=$folder/slurm.conf
head -c 128 /dev/urandom >"$folder/munge.key"
chmod 400 "$folder/munge.key"
chown -R munge "$folder/munge" "$folder/munge.key" "$folder/run"
setpriv --reuid munge --regid munge --clear-groups munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/run/munge.socket" \
  --pid-file="$folder/munge/munged.pid" --log-file="$folder/munge/munged.log" --seed-file="$folder/munge/seed" >"$folder/log/munged" 2>&1 &
for _ in $(seq 100); do
  [ ! -S "$folder/run/munge.socket" ] || break
  sleep 0.05
done
slurmctld -D -i >"$folder/log/ctld" 2>&1 &
for i in $(seq "$nodes"); do
  slurmd -D -N "n$i" >"$folder/log/slurmd$i" 2>&1 &
done
for _ in $(seq 300); do
  [ "$(sinfo -h -o %T 2>/dev/null | sort -u)" != idle ] || break
  sleep 0.1
done
sinfo
"$@"
