"""edgeecg: compress a deep ECG classifier, export it, measure what a heartbeat costs on the device.

A model walks through six rooms; what it is at each door is one small value of ``edgeecg.schema``::

    records -data-> windows -training-> Model -compress-> run folder
            -export-> Artifact -bench-> BenchResult -report-> page

Upstairs (needs torch): ``data``, ``models``, ``training``, ``compress``, ``export``.
Downstairs (numpy, psutil and one runtime; what a Raspberry Pi installs): ``schema``, ``energy``,
``runtimes``, ``meters``, ``bench``, ``report``. ``cli`` has one file per verb and loads a room only
when its verb runs. Nothing downstairs imports anything upstairs.
"""

__version__ = "0.1.0"
