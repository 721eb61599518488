import subprocess,xml.etree.ElementTree as ET,collections
out=subprocess.run(['tools/bazelw','query','--output=xml','--noimplicit_deps','//...'],capture_output=True,text=True).stdout
root=ET.fromstring(out)
users=collections.defaultdict(set); grants={}
pkg=lambda l:l[2:].split(':')[0]
for r in root:
    name=r.get('name')
    for i in r.findall('rule-input'): users[i.get('name')].add(pkg(name))
    vis=r.find("list[@name='visibility']")
    if vis is not None: grants[name]=[l.get('value') for l in vis]
    if r.tag=='source-file':
        grants[name]=[v.get('name') for v in r.findall('visibility-label')]
for name,g in sorted(grants.items()):
    for v in g:
        if v in('//visibility:private','//visibility:public') : continue
        p,_,k=v[2:].partition(':')
        ok=any((u==p) if k=='__pkg__' else (u==p or u.startswith(p+'/')) for u in users[name])
        if not ok: print(name,'grants',v,'and nobody there uses it')
